"""Runs mypy inside the sandbox, at a line on stdin; before that it imports it, and warms its cache up if asked to."""

import json
import os
import sys
from collections.abc import Sequence

from mypy.main import main as check


def main(arguments: Sequence[str], *, warm: bool) -> None:
    """Check types; ends the process with mypy's exit code.

    Args:
        arguments: Of mypy's command line.
        warm: Check what is there already, for the cache alone, before the line comes.
    """
    if warm:
        first = os.fork()
        if first == 0:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            check(args=list(arguments), stdout=sys.stdout, stderr=sys.stderr)
        os.waitpid(first, 0)
    sys.stdin.readline()
    check(args=list(arguments), stdout=sys.stdout, stderr=sys.stderr)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), warm=bool(json.loads(sys.argv[2])))
