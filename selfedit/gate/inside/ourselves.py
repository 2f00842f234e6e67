"""What a program that was sent in as source leaves in the interpreter. Standard library only."""

import sys


def forget() -> None:
    """Leave no name of ours behind: the repository may have a package of that name."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "selfedit"]:
        del sys.modules[name]
