"""The judge: does one job inside a sandbox, and reports once. Standard library only.

Its input comes in two parts. The first says what to get ready: files to write, and servants, programs that are
started, prepare themselves, and wait for a line on their stdin. The second, which may come much later, holds what
the candidate changes, and sets everything going. Nothing of a candidate is there before that, and one judge
judges one candidate.

The process takes the key of its report from stdin too, and hides its memory from the programs it starts.
"""

import contextlib
import json
import os
import sqlite3
import stat
import sys
import time
import zlib
from typing import Any

from selfedit.gate.inside import report, trees, typecache
from selfedit.gate.inside.programs import Program, Result, Witness, end_strays

Job = dict[str, Any]


def main() -> int:
    """Do the job on stdin."""
    report.hide()
    stdin = sys.stdin.buffer
    if stat.S_ISREG(os.fstat(stdin.fileno()).st_mode):
        return 3  # a file could be read a second time, by somebody else
    first: Job = json.loads(stdin.readline())
    ready = Ready(first, stdin.read(first["bytes"]))
    order: Job = json.loads(stdin.readline())
    result, attachment = ready.judge(order, stdin.read())
    end_strays()
    report.write(bytes.fromhex(first["key"]), result, attachment)
    return 0


class Ready:
    """What stands ready before the candidate comes."""

    def __init__(self, first: Job, archive: bytes) -> None:
        trees.unpack(archive)
        self._baked = first["type_cache"]
        self._learns = first["learns"]
        if self._baked is not None:
            with contextlib.suppress(sqlite3.Error, zlib.error, OSError):  # it is only about speed
                typecache.lay_out(self._baked)
        self._servants = {name: Program(argv) for name, argv in first["servants"].items()}
        pool, self._pool = os.pipe()
        self._witnesses = [Witness(argv, pool) for argv in first["witnesses"]]

    def judge(self, order: Job, archive: bytes) -> tuple[Result, bytes]:
        """Take the candidate in, set everything going, and collect what comes of it."""
        trees.remove(order["removed"])
        trees.unpack(archive)
        until = time.monotonic() + order["seconds"]
        steps = {name: Program(argv) for name, argv in order["programs"].items()}
        for program in steps.values():
            program.go(b"")
        for name, servant in self._servants.items():
            if name in order["lines"]:
                servant.go(order["lines"][name].encode() + b"\n")
                steps[name] = servant
            else:
                servant.kill()
        used = list(zip(self._witnesses, order["shares"], strict=False))
        for witness in self._witnesses[len(used) :]:
            witness.kill()
        os.write(self._pool, bytes(range(order["pool"])))
        os.close(self._pool)  # so that whoever reads on learns that nothing is left
        for witness, wish in used:
            witness.go(wish)
        for witness, _ in used:
            witness.wait(until)
        if used:
            end_strays()  # else who reads what a witness said waits for strays that hold the other end
        result: Result = {"tests": [witness.result(until) for witness, _ in used]}
        result["steps"] = {
            name: program.result(until, alone=order["alone"]) for name, program in steps.items()
        }
        return result, self._learnt(result)

    def _learnt(self, result: Result) -> bytes:
        """What is worth keeping of the type checker's cache; what was packed while it got ready costs no time now."""
        if self._baked is None or result["steps"].get("types", {}).get("exit") != 0:
            return b""
        with contextlib.suppress(sqlite3.Error, OSError):
            if typecache.LEARNT.exists():
                return typecache.LEARNT.read_bytes()
            if self._learns:
                return typecache.pack(self._baked)
        return b""
