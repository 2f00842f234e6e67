"""The operator's command line: `python -m selfedit COMMAND`.

Speaks to the running steward where there is one; otherwise it does the same by itself, without a bot.
"""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel

EXIT_YES, EXIT_NO, EXIT_UNKNOWN = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code (0 done, 1 an expected no, 2 could not find out)."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_help())
        return EXIT_YES if argv else EXIT_UNKNOWN
    name, *rest = argv
    if name not in _COMMANDS:
        print(f"there is no command {name!r}; python -m selfedit --help lists them", file=sys.stderr)
        return EXIT_UNKNOWN
    run, _ = _COMMANDS[name]
    from selfedit.ledger import LedgerProblem
    from selfedit.repo import GitFailed, RepoProblem

    try:
        return run(rest)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        known = (LedgerProblem, GitFailed, RepoProblem, OSError)
        if isinstance(error, known) or type(error).__name__.endswith(("Problem", "Running", "Unavailable")):
            print(f"{error}", file=sys.stderr)
            return EXIT_UNKNOWN
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
