"""Fixes tried out on variants of a file. Runs inside the sandbox: standard library only.

One fix after the other is applied until none is left. A fix that brings a new complaint, loses a comment, breaks the
syntax, or leads back to a text that was there before is undone and not tried again, so rules that contradict each
other cannot play ping-pong.
"""

import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfedit.authors.analysis.source import mended, unit_at
from selfedit.authors.analysis.tools import Found

MOST_STEPS = 60
FOLLOW_UPS = ("F401", "I001")
"""What a fix may leave behind at the top of the file: an import that nothing uses now, or a new one out of order."""

COMMENTS = ("ERA001",)
"""Rules whose fixes take comments away on purpose; no other may lose one."""


@dataclass
class Variant:
    """One file with one of its units mended as far as fixes go."""

    path: str
    unit: str
    rank: int
    text: str
    fixed: list[Found] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    """What ruff says of `text`, before it was formatted."""
    settled: str = ""
    """The text before it was formatted."""
    trial: tuple[str, Found] | None = None
    """The text to look at next, and what it would mend."""
    banned: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def lay_out(self, root: Path) -> Path:
        """Write the text that is to be looked at, as it would lie in the repository."""
        place = root / self.path
        place.parent.mkdir(parents=True)
        place.write_bytes((self.trial[0] if self.trial else self.text).encode())
        return place

    def step(self, said: list[Found], before: list[Found]) -> bool:
        """Judge the text that ruff has looked at, and choose the next; False when there is none.

        Args:
            said: What ruff says of the text that was laid out.
            before: What it says of the file as it is.
        """
        if self.trial is None:
            if _worse(said, before):
                self.fixed.clear()
                return False
            self.found = said
        else:
            text, mends = self.trial
            self.seen.add(text)
            if _worse(said, self.found) or (mends.rule not in COMMENTS and _loses_comment(self.text, text)):
                self.banned.add(mends.rule)
            else:
                self.text, self.found = text, said
                self.fixed.append(mends)
        self.seen.add(self.text)
        self.trial = self._next({one.said for one in before})
        return self.trial is not None

    def _next(self, known: set[tuple[str, str]]) -> tuple[str, Found] | None:
        for one in self.found:
            if one.edits and one.rule not in self.banned and self._mine(one, known):
                text = mended(self.text, one.edits)
                if text not in self.seen:
                    return text, one
                self.banned.add(one.rule)
        return None

    def _mine(self, one: Found, known: set[tuple[str, str]]) -> bool:
        if one.rule in FOLLOW_UPS and one.said not in known:
            return True
        return one.rule != "I001" and unit_at(self.text, one.row) == self.unit


def settle(
    variants: Sequence[Variant], ruff: Sequence[Found], look: Callable[[Path], list[Found]], folder: Path
) -> None:
    """Take all variants forward, one fix a step, with one run of ruff for all of them.

    Args:
        variants: Changed in place; one that does not come to rest has nothing in `fixed`.
        ruff: What ruff says of the files as they are.
        look: Runs ruff below a folder.
        folder: For the steps.
    """
    before: dict[str, list[Found]] = {}
    for one in ruff:
        before.setdefault(one.path, []).append(one)
    active = list(variants)
    for step in range(MOST_STEPS):
        if not active:
            return
        root = folder / f"step-{step}"
        for at, variant in enumerate(active):
            variant.lay_out(root / str(at))
        said: dict[int, list[Found]] = {}
        for one in look(root):
            number, _, path = one.path.partition("/")
            said.setdefault(int(number), []).append(replace(one, path=path))
        active = [v for at, v in enumerate(active) if v.step(said.get(at, []), before.get(v.path, []))]
    for variant in active:
        variant.fixed.clear()


def _worse(new: Iterable[Found], old: Iterable[Found]) -> bool:
    """Whether a text has complaints that the one before did not have, and that no fix takes away."""
    now, then = (
        Counter(one.rule for one in found if not one.edits and one.rule != "C901") for found in (new, old)
    )
    return bool(now - then) or now["invalid-syntax"] > 0


def _loses_comment(old: str, new: str) -> bool:
    # Reading tokens is slow, and without a sign less there is no comment less.
    return new.count("#") < old.count("#") and bool(_comments(old) - _comments(new))


def _comments(text: str) -> Counter[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return Counter()
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)
