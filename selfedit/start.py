"""How a Python process of ours is started: with the repository last on its path.

Otherwise a `json.py` that lies about in the repository's root would be taken for the standard library's.
Imports next to nothing: the launcher uses it.
"""

import sys

_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def python(root: object, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the repository at `root`, as `python -m` would in that folder."""
    return [sys.executable, "-P", "-c", _PROGRAM, str(root), module, *arguments]
