"""Compares how base and head behave in the same conversations: what a proposal changes for people, before they see it.

Answers are shown with everything unprintable spelled out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from policies.decision import Finding, Severity
from selfedit.gate.evidence import MOST_FINDINGS, failed, no
from selfedit.gate.trial import Answered, Trial
from selfedit.types import Check

NAME = "behaviour"
SLOWER = 3.0
"""A turn that takes longer by this factor, and by more than the floor, is shown to a person; the watch over live
code uses the same factor."""
FLOOR_MS = 60.0
"""Less than this is taken for the noise of a busy machine."""
COSTLIER = 1.5
FLOOR_TOKENS = 100
"""Fewer tokens than this, over all turns, are not worth a word."""
FLOOR_BLOCKS = 15
"""So many more blocks of memory kept, for a round of all conversations, are noise; 3 are kept by asyncio itself."""
_SHOWN = 120
"""Characters of an answer that are shown; around a difference, so many before it."""
_BEFORE = 30


def compare(
    base: Trial | Finding, head: Trial | Finding, *, rewritten: bool = False, seconds: float = 0.0
) -> Check:
    """What is different for people.

    Args:
        base: How the code behaves that serves now.
        head: How the code behaves that would serve.
        rewritten: The conversations themselves may differ, as a person's commit may change them; then those turns
            are compared that both have.
        seconds: How long finding out took.

    Returns:
        A check that passes unless something that worked no longer does; everything else is for people to look at.
    """
    for side, told in (("main", base), ("the change", head)):
        if isinstance(told, Finding):
            message = f"how {side} behaves could not be found out: {told.message}"
            return failed(NAME, no("no_report", message), seconds)
        if not told.ok:
            return failed(
                NAME, no("no_report", f"{side} cannot be loaded, so it has no behaviour: {told.why}"), seconds
            )
    assert isinstance(base, Trial)  # noqa: S101 - for the type checker
    assert isinstance(head, Trial)  # noqa: S101 - the same
    before, after = _by_key(base), _by_key(head)
    if before is None or after is None:
        return failed(NAME, no("no_report", "a turn of a conversation was told twice"), seconds)
    if not rewritten and (problem := _not_the_same(base, head, before, after)):
        return failed(NAME, no("no_report", problem), seconds)
    pairs = [(old, after[key]) for key, old in before.items() if key in after]
    findings = [
        *_broken(pairs),
        *_gone(base, head),
        *_fresh(base, head, [new for key, new in after.items() if key not in before]),
        *_slower(pairs),
        *_costlier(pairs),
        *_kept(base, head),
        *_deeds(pairs),
        *_unsteady(pairs),
        *_differences(pairs),
    ]
    passed = all(finding.severity is not Severity.REFUSE for finding in findings)
    return Check(
        name=NAME,
        passed=passed,
        seconds=seconds,
        summary=_summary(pairs),
        findings=tuple(findings[:MOST_FINDINGS]),
    )


def difference(old: str, new: str) -> str:
    """Two texts as `"old" -> "new"`; of long ones, the part in which they differ."""
    start = 0
    if max(len(old), len(new)) > _SHOWN:
        same = (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
        start = max(0, next(same, min(len(old), len(new))) - _BEFORE)
    return f"{_quoted(old, start)} -> {_quoted(new, start)}"


Pairs = Sequence[tuple[Answered, Answered]]


def _by_key(trial: Trial) -> dict[tuple[str, str], Answered] | None:
    turns = {turn.key: turn for turn in trial.turns}
    return turns if len(turns) == len(trial.turns) else None


def _not_the_same(
    base: Trial,
    head: Trial,
    before: Mapping[tuple[str, str], Answered],
    after: Mapping[tuple[str, str], Answered],
) -> str:
    """Why two trials did not hold the same conversations; empty when they did."""
    if base.script != head.script:
        return "main and the change held different conversations, so their behaviour cannot be compared"
    gone, come = set(base.commands) - set(head.commands), set(head.commands) - set(base.commands)
    missing = [key for key in before.keys() - after.keys() if _command(key[1]) not in gone]
    more = [key for key in after.keys() - before.keys() if _command(key[1]) not in come]
    if missing or more:
        said = _quoted(min([*missing, *more])[1])
        return f"main and the change were not told the same; {said} was said on one side alone"
    return ""


def _command(said: str) -> str:
    """The command that is meant, as the bot reads it; empty for chat."""
    words = said.split(maxsplit=1)
    return words[0][1:].lower() if words and words[0].startswith("/") else ""


def _broken(pairs: Pairs) -> Iterator[Finding]:
    for old, new in pairs:
        if old.works and new.known and not new.works:
            why = _plain(new.error) if new.error else "the answer is empty"
            yield no("behaviour_broken", f"{_quoted(new.said)} was answered before, and fails now: {why}")


def _gone(base: Trial, head: Trial) -> Iterator[Finding]:
    for name in sorted(set(base.commands) - set(head.commands)):
        yield _look(
            "behaviour_gone", f"nobody answers to /{_plain(name)} any more; make sure that it is not missed"
        )


def _fresh(base: Trial, head: Trial, turns: Sequence[Answered]) -> Iterator[Finding]:
    for name in sorted(set(head.commands) - set(base.commands)):
        yield _note("behaviour_new", f"/{_plain(name)} is new")
    for turn in turns:
        if turn.known and not turn.works:
            why = _plain(turn.error) or "the answer is empty"
            yield _look("behaviour_fails", f"{_quoted(turn.said)}, which is new, is not answered: {why}")


def _slower(pairs: Pairs) -> Iterator[Finding]:
    slower = [
        (new.ms - old.ms, old, new)
        for old, new in pairs
        if old.works and new.works and new.ms - old.ms > FLOOR_MS and new.ms > old.ms * SLOWER
    ]
    if slower:
        _, old, new = max(slower, key=lambda each: each[0])
        more = f", and {_count(len(slower) - 1, 'more answer')}" if len(slower) > 1 else ""
        times = f"{old.ms:.0f} ms before, {new.ms:.0f} ms now"
        yield _look("behaviour_slower", f"answering {_quoted(new.said)} takes longer: {times}{more}")


def _costlier(pairs: Pairs) -> Iterator[Finding]:
    old, new = (sum(turn.tokens for turn in turns) for turns in _sides(pairs))
    asked_before, asked = (sum(turn.requests for turn in turns) for turns in _sides(pairs))
    if new > old * COSTLIER and new - old > FLOOR_TOKENS:
        message = (
            f"the same conversations cost about {new:,} tokens in {_count(asked, 'request')} to the model; "
            f"before, it was {old:,} in {asked_before}"
        )
        yield _look("behaviour_costlier", message)


def _kept(base: Trial, head: Trial) -> Iterator[Finding]:
    if head.kept - base.kept > FLOOR_BLOCKS:
        message = (
            f"each time the conversations are held, memory grows by {head.kept:,} blocks (before: {base.kept:,}); "
            "live code keeps nothing between turns"
        )
        yield _look("behaviour_hoards", message)


def _deeds(pairs: Pairs) -> Iterator[Finding]:
    for old, new in pairs:
        for deed in new.deeds:
            if deed not in old.deeds:
                yield _look("behaviour_acts", f"while it answers {_quoted(new.said)}, {_plain(deed)}")


def _unsteady(pairs: Pairs) -> Iterator[Finding]:
    for old, new in pairs:
        if old.steady and not new.steady:
            message = (
                f"{_quoted(new.said)} is answered in another way each time; take chance from turn.random and "
                "time from turn.now, and keep nothing between turns"
            )
            yield _look("behaviour_unsteady", message)


def _differences(pairs: Pairs) -> Iterator[Finding]:
    for old, new in pairs:
        if _differs(old, new):
            yield _note("behaviour", f"{_quoted(new.said)}: {difference(old.answer, new.answer)}")
        elif new.works and not old.works and old.known:
            yield _note(
                "behaviour", f"{_quoted(new.said)} failed before, and is answered now: {_quoted(new.answer)}"
            )


def _differs(old: Answered, new: Answered) -> bool:
    return old.works and new.works and old.steady and new.steady and old.answer != new.answer


def _summary(pairs: Pairs) -> str:
    if not pairs:
        return "there are no recorded conversations to hold"
    differing = sum(_differs(old, new) for old, new in pairs)
    broken = sum(1 for _ in _broken(pairs))
    old_ms, new_ms = (sum(turn.ms for turn in turns) for turns in _sides(pairs))
    old_tokens, new_tokens = (sum(turn.tokens for turn in turns) for turns in _sides(pairs))
    return (
        f"{differing} of {_count(len(pairs), 'answer')} {'differs' if differing == 1 else 'differ'}, {broken} broken, "
        f"{_factor(old_ms, new_ms, FLOOR_MS)} time, {_factor(old_tokens, new_tokens, 0.0)} tokens"
    )


def _sides(pairs: Pairs) -> tuple[list[Answered], list[Answered]]:
    return [old for old, _ in pairs], [new for _, new in pairs]


def _factor(old: float, new: float, floor: float) -> str:
    """How many times as much; what differs by less than the floor is the same."""
    if abs(new - old) <= floor:
        return "1.0x"
    return f"{new / old:.1f}x" if old else "more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _quoted(text: str, start: int = 0) -> str:
    before = "…" if start else ""
    after = "…" if start + _SHOWN < len(text) else ""
    return f'"{before}{_plain(text[start : start + _SHOWN])}{after}"'


def _plain(text: str) -> str:
    """A text in which nothing is hidden: what cannot be printed is spelled out."""
    shown = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in shown
    )


def _look(rule: str, message: str) -> Finding:
    return Finding(rule=rule, severity=Severity.REVIEW, message=message)


def _note(rule: str, message: str) -> Finding:
    return Finding(rule=rule, severity=Severity.NOTE, message=message)
