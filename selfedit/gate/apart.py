"""Keeps the tests that a proposal brings apart from those that main has.

A test may patch, mend or leave behind what other tests stand on, and a data file may say what they expect. So main's
tests run as they stand on main, every file of theirs, in a sandbox that no test of the proposal ever enters; what the
proposal adds or rewrites runs in another one.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace

from selfedit.gate.assemble import Assembly


@dataclass(frozen=True, slots=True)
class Apart:
    """A candidate whose tests differ from main's, as two sets of files.

    Attributes:
        mains: The candidate's code with main's version of everything below the folders of tests.
        own: The places that are run in the candidate as it is.
        rewritten: Files below the folders of tests that main has and the candidate changes or takes away.
    """

    mains: Assembly
    own: tuple[str, ...]
    rewritten: frozenset[str]


def apart(head: Assembly, base: Assembly, folders: Sequence[str]) -> Apart | None:
    """The two sets of files; None where the tests are main's anyway.

    Args:
        head: The candidate.
        base: What main has.
        folders: Below which there are tests, each with its slash.
    """
    below = tuple(folders)
    differing = {
        path
        for path in head.files.keys() | base.files.keys()
        if path.startswith(below) and head.files.get(path) != base.files.get(path)
    }
    if not differing:
        return None
    files = {path: data for path, data in head.files.items() if path not in differing}
    files |= {path: base.files[path] for path in differing if path in base.files}
    named = head.settings.plain_names and all(
        fnmatch.fnmatch(path.rpartition("/")[2], "test_*.py") for path in differing
    )
    # What other tests may read, as a helper or a file of data, concerns them all.
    own = sorted(differing & head.files.keys()) if named else []
    return Apart(
        mains=replace(head, files=dict(sorted(files.items()))),
        own=tuple(own) or tuple(folder.rstrip("/") for folder in folders),
        rewritten=frozenset(differing & base.files.keys()),
    )
