"""Runs mypy inside the sandbox, at a line on stdin; before that it gets ready with the tree that is there already.

Whether a file's types hold depends on the file and on what it imports, directly or not: mypy's own model, by which
it decides what it can take from its cache. So where main's types hold, a change can only spoil the files that it
writes and those that import them, and nothing else has to be looked at. Whatever does not fit that is checked whole.
"""

import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mypy import build
from mypy.errors import CompileError
from mypy.main import main as check
from mypy.main import process_options

from selfedit.gate.inside import typecache

FEW = 40
"""Where mypy had to look at no more modules than this to know main's types, its cache is as good as new."""


def main() -> int:
    """Check types; ends the process with mypy's exit code.

    Arguments, each as JSON: mypy's; what to check where nothing is named; and, where there is time to get ready, from
    where the sandbox brings types along, else null. The wish names the files that a change writes and takes away,
    or is empty.
    """
    options, everything, brought = map(json.loads, sys.argv[1:])
    known = _ahead(options, everything, brought) if brought is not None else {}
    wish = json.loads(sys.stdin.readline() or "{}")
    if known and wish:
        told = [*options, *everything]
        sources = process_options(told)[0]
        wanted = {os.path.normpath(source.path) for source in sources if source.path} | known.keys()
        everything = sorted(affected(wish["written"], wish["removed"], known) & wanted)
        if not everything:
            return 0
    check(args=[*options, *everything], stdout=sys.stdout, stderr=sys.stderr)
    return 0


def affected(
    written: Collection[str], removed: Collection[str], importers: Mapping[str, Collection[str]]
) -> set[str]:
    """The files that a change may spoil: those that it writes, and those that import one of its files, however indirectly.

    Args:
        written: Files that it writes.
        removed: Files that it takes away.
        importers: By each file of main, those that import it themselves.
    """
    found = {*written, *removed}
    going = list(found)
    while going:
        more = set(importers.get(going.pop(), ())) - found
        found |= more
        going += more
    return found - set(removed)


def _ahead(options: Sequence[str], everything: Sequence[str], brought: str) -> dict[str, list[str]]:
    """Check what is there already, in a child: the cache is warm then, and who imports whom is known."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = 1
        try:
            with os.fdopen(writing, "w") as told:
                json.dump(_importers([*options, *everything], brought), told)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as telling:
        said = telling.read()
    _, status = os.waitpid(pid, 0)
    if status or not said:
        return {}
    found: dict[str, list[str]] = json.loads(said)
    return found


def _importers(arguments: Sequence[str], brought: str) -> dict[str, list[str]]:
    sources, options = process_options(list(arguments))
    try:
        result = build.build(sources, options)
    except CompileError:
        return {}
    result.manager.metastore.close()
    if len(result.manager.rechecked_modules) > FEW:
        with contextlib.suppress(sqlite3.Error, OSError):
            typecache.LEARNT.write_bytes(typecache.pack(brought))
    if result.errors:
        return {}
    files = {name: state.path for name, state in result.graph.items() if state.path}
    own = {name: os.path.normpath(path) for name, path in files.items() if not Path(path).is_absolute()}
    tops = {name.partition(".")[0] for name in own}
    found: dict[str, list[str]] = {path: [] for path in own.values()}
    for name, path in own.items():
        state = result.graph[name]
        if any(missing.partition(".")[0] in tops for missing in state.suppressed):
            return {}  # a new file could be what it looks for
        for needed in (*state.dependencies, *(state.ancestors or ())):
            if needed in own:
                found[own[needed]].append(path)
    return found
