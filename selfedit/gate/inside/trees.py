"""Writes what is judged into the sandbox's own folder, and tells what was written to. Standard library only."""

import io
import os
import secrets
import tarfile
from collections.abc import Iterable
from pathlib import Path

SCRATCH = Path("/tmp")  # noqa: S108 - the sandbox's own, private and empty
TREE = SCRATCH / "tree"
"""Where the repository's files are, inside."""


def unpack(archive: bytes) -> None:
    """Write the files of an archive. Times are at random, so that no cache takes one content for another."""
    when = 2**30 + secrets.randbelow(2**30)
    made = set()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = SCRATCH / member.name
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            file = tar.extractfile(member)
            if file is None:
                raise ValueError(member.name)
            path.write_bytes(file.read())
            os.utime(path, (when, when))


def remove(paths: Iterable[str]) -> None:
    """Take files away, and the folders that are empty without them: an empty one is a package to an import."""
    for name in paths:
        path = SCRATCH / name
        path.unlink()
        for folder in path.parents:
            if folder == TREE or any(folder.iterdir()):
                break
            folder.rmdir()


def stamps(tree: str) -> dict[str, tuple[int, int]]:
    """What tells whether a file below a folder was written to: nothing that runs inside can set these two back."""
    found = {}
    for folder, _, names in os.walk(tree):
        for name in (".", *names):
            status = os.lstat(
                path := f"{folder}/{name}"
            )  # a path object for each takes several times as long
            found[path] = (status.st_ino, status.st_ctime_ns)
    return found
