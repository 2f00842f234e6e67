"""Runs one hostile program and prints what became of its attempts, as one JSON object.

    python -m sandbox.hostile PROGRAM FACTS

It refuses to run anywhere but inside a sandbox: some of these programs take all that they can get.
"""

import importlib
import json
import os
import socket
import sys

from sandbox.hostile.attempt import Facts


def main(program: str, given: str) -> int:
    """Run the program named; returns the exit code."""
    facts = Facts(**json.loads(given))
    if socket.gethostname() != facts.hostname or os.getuid() == 0:
        sys.stderr.write("a hostile program runs only inside a sandbox: use `python -m sandbox probe`\n")
        return 2
    said = importlib.import_module(f"sandbox.hostile.{program}").main(facts)
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
