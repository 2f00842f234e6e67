"""A program that is sent in as source ends with all that it said, and not before what it started."""

import json
import subprocess
import sys

from selfedit.gate.judging import START

HELPER = "NUMBER = 4"
LATE = """
import sys, threading, time
from a.helper import NUMBER

def late():
    time.sleep(0.2)
    print("late")

def main():
    threading.Thread(target=late).start()
    sys.stdout.write(f"said {sys.argv[1:]}\\n")
    return NUMBER
"""


def test_a_bundle_ends_with_its_code_after_its_threads() -> None:
    """Its last part's answer is the exit code; what it wrote and what its threads write is all there."""
    parts = json.dumps([["a", ""], ["a.helper", HELPER], ["a.late", LATE]])
    argv = [sys.executable, "-I", "-B", "-c", START, "x", parts]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "said ['x']\nlate\n", "")
