"""Deals files of tests out to processes that run side by side, so that all are done at about the same time."""

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from selfedit.gate.assemble import Assembly

POOL = 0.3
"""Share of the work that is dealt to nobody ahead, at most. Each process loads those files, whoever runs them."""
LARGEST_POOL = 24
"""Files, the shortest ones."""
PROPERTY = 8_000
"""A property is tried with many examples: it takes as long as so many letters of other tests, in this repository."""
SLOWER = 1.1
"""So much slower, or by a tenth of a second, tests become from one run to the next; the rest is the machine's doing."""
IDLE = 0.25
"""A file that waits for such a share of its time, and for that many seconds, begins while others have much to do."""


class Lasted(NamedTuple):
    """How long a file of tests took, in seconds, and for how many of them it only waited."""

    seconds: float
    idle: float = 0.0

    @property
    def idles(self) -> bool:
        """Whether it waits for a good part of its time."""
        return self.idle >= IDLE * max(1.0, self.seconds)


def deal(
    assembly: Assembly, number: int, among: Sequence[str], lasted: Mapping[str, Lasted] | None = None
) -> tuple[list[list[str]], list[str]]:
    """The test files in these places dealt out evenly, by how long they took or else by the work they look like.

    Nobody knows how long they will take, so the last of the work is dealt to nobody: it is a pool, the longest
    first, for whoever is done. Files that idle come first, when there is most to do beside them.

    Args:
        assembly: The files.
        number: How many shares are wanted.
        among: Folders and files.
        lasted: How long files of tests took before, as far as that is known.

    Returns:
        The shares, each with a file at least, and the pool; no shares where it is not known which files are tests.
    """
    if number <= 1 or not assembly.settings.plain_names:
        return [], []
    lasted = lasted or {}
    work, idle = _work(assembly, among, lasted), {path for path, each in lasted.items() if each.idles}
    shares: list[list[str]] = [[] for _ in range(number)]
    dealt = [0.0] * number
    pool: list[str] = []
    left, kept = sum(work.values()), POOL * sum(work.values())
    for number_left, path in zip(
        range(len(work), 0, -1), sorted(work, key=lambda path: (path not in idle, -work[path])), strict=True
    ):
        if all(shares) and number_left <= LARGEST_POOL and left <= kept:
            pool.append(path)
        else:
            least = dealt.index(min(dealt))
            shares[least].append(path)
            dealt[least] += work[path]
        left -= work[path]
    return [sorted(share, key=lambda path: (path not in idle, path)) for share in shares if share], pool


def best(
    lasted: Mapping[str, Lasted], took: Mapping[str, Lasted], files: Collection[str]
) -> dict[str, Lasted]:
    """How long files of tests take at the best: on a busy machine they take longer, and that says nothing of them.

    Args:
        lasted: What was known before.
        took: What they took now.
        files: Which there are; others are forgotten.
    """
    now = {path: _no_slower(each, lasted.get(path, each).seconds) for path, each in took.items()}
    return {path: each for path, each in {**lasted, **now}.items() if path in files}


def _no_slower(took: Lasted, before: float) -> Lasted:
    seconds = min(took.seconds, max(SLOWER * before, before + SLOWER - 1))
    return Lasted(seconds, min(took.idle, seconds))


def _work(assembly: Assembly, among: Sequence[str], lasted: Mapping[str, Lasted]) -> dict[str, float]:
    """How much there is to do in each file of tests in these places, in no unit in particular."""
    places = tuple(place if place.endswith(".py") else f"{place}/" for place in among)
    names = [
        path
        for path in assembly.files
        if path.startswith(places) and fnmatch.fnmatch(path.rpartition("/")[2], "test_*.py")
    ]
    looks = {path: _looks(assembly.files[path]) for path in names}
    known = {path: each.seconds for path in names if (each := lasted.get(path)) and each.seconds}
    seen = sum(looks[path] for path in known)
    rate = sum(known.values()) / seen if seen else 1.0
    return {path: known.get(path, rate * looks[path]) for path in names}


def _looks(test: bytes) -> int:
    """How much there is to do in a file of tests, as far as its text tells."""
    return len(test) + PROPERTY * test.count(b"@given")
