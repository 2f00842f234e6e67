"""A steward under whom proposals live: asked for, judged, opened, approved, merged, live, kept or taken back.

Who may approve what, and the sentences for those who may not, are the rules' own; what is left out is the work itself.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from policies.decision import Finding, Severity
from policies.load import Rules
from policies.merge import Candidate, may_approve
from sandbox.types import SandboxInfo
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.types import Check, FileDiff, GateReport, Proposal, Stage, StageTime
from tests.fakes.steward import FakeSteward

BEGAN = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
"""When the first proposal is asked for; each stage comes some seconds after the one before."""
DIFF = """diff --git a/bot/live/roll/feature.py b/bot/live/roll/feature.py
index 1111111..2222222 100644
--- a/bot/live/roll/feature.py
+++ b/bot/live/roll/feature.py
@@ -8,7 +8,9 @@ MOST = 100
 async def roll(turn: Turn) -> str:
     dice, sides = _read(turn.text)
-    return str(sum(_throw(turn, sides) for _ in range(dice)))
+    thrown = [_throw(turn, sides) for _ in range(dice)]
+    total = sum(thrown)
+    return f"{total} ({' + '.join(map(str, thrown))})"
"""
TESTS = """diff --git a/tests/live/test_roll.py b/tests/live/test_roll.py
--- a/tests/live/test_roll.py
+++ b/tests/live/test_roll.py
@@ -1,2 +1,4 @@
 \"\"\"Dice.\"\"\"
+async def test_each_die_is_shown() -> None:
+    assert await said("2d1") == "2 (1 + 1)"
"""
FILES = (
    FileDiff(path="bot/live/roll/feature.py", text=DIFF),
    FileDiff(path="tests/live/test_roll.py", text=TESTS),
)
EDITS = parse_edits(
    """[
    {"op": "replace_function", "path": "bot/live/roll/feature.py", "target": "roll",
     "source": "async def roll(turn: Turn) -> str:\\n    return ''\\n"},
    {"op": "add_test", "path": "tests/live/test_roll.py", "source": "def test_roll():\\n    assert True\\n"}
    ]"""
)
TO_LOOK_AT = Finding(
    rule="new-import",
    severity=Severity.REVIEW,
    path="bot/live/roll/feature.py",
    line=3,
    message="it imports json, which this feature did not need before",
)


_STANDING = (Stage.MERGED, Stage.LIVE, Stage.KEPT)


def head_of(number: int, turn: int = 0) -> str:
    """The head of a proposal after so many moves."""
    return hashlib.sha1(f"{number}.{turn}".encode(), usedforsecurity=False).hexdigest()


def judged(head: str, policy: str, findings: Sequence[Finding] = ()) -> GateReport:
    """A report of a gate that every check passed."""
    facts = (
        ("policy", 0.1, "2 files may change"),
        ("format", 0.4, "formatted"),
        ("lint", 0.6, "no complaints"),
        ("types", 3.1, "types hold"),
        ("imports", 0.9, "5 contracts kept"),
        ("tests", 9.8, "214 passed, 1 of them new"),
        ("trial", 1.0, "loaded twice: 11 features, 17 commands"),
        ("behaviour", 0.7, "1 of 62 answers differs, 0 broken, 1.0x time, 1.0x tokens"),
        ("contracts", 0.4, "9 contracts hold in 214 calls under 3 clocks"),
        ("change", 1.7, "4 of 4 faults noticed, the new tests can fail"),
    )
    checks = tuple(Check(name=name, passed=True, seconds=took, summary=said) for name, took, said in facts)
    if findings:
        checks = (*checks[:-1], checks[-1].model_copy(update={"findings": tuple(findings)}))
    sandbox = SandboxInfo(backend="docker", image="sha256:" + "4f" * 32, reduced=False)
    return GateReport(
        verdict="passed",
        base="0" * 40,
        head=head,
        policy=policy,
        sandbox=sandbox,
        checks=checks,
        seconds=18.7,
    )


class LivingSteward(FakeSteward):
    """A steward that knows proposals, and tells what becomes of them."""

    def __init__(self, rules: Rules) -> None:
        halted = say.Done(text="self-editing is halted; chat goes on; /resume allows it again")
        super().__init__(
            {
                say.Show: self._show,
                say.Proposals: self._list,
                say.Diff: self._diff,
                say.Halt: lambda _: halted,
                say.Resume: lambda _: say.Done(text="self-editing is allowed again"),
            }
        )
        self.rules = rules
        self.proposals: dict[int, Proposal] = {}
        self.files: dict[int, tuple[FileDiff, ...]] = {}
        self.findings: Sequence[Finding] = ()
        """What the gate finds in what is asked for from now on."""
        self.merging = asyncio.Event()
        """Merging waits until this is set."""
        self.merging.set()
        self.judging = asyncio.Event()
        """So does judging."""
        self.judging.set()

    async def answer(self, body: BaseModel) -> BaseModel | None:
        """Answer as the real one does."""
        moves: BaseModel | None = None
        match body:
            case say.Improve():
                moves = await self._after(body, self._improve(body))
            case say.Approve():
                moves = await self._after(body, self._approve(body))
            case say.Reject(number=number, by=by, why=why):
                reason = why or f"no reason given by {by}"
                moves = await self._after(body, self._end(number, Stage.REJECTED, [Stage.OPENED], why=reason))
            case say.Rollback(number=number, by=by):
                number = number or max(self.proposals)
                gone = {"why": f"{by}: somebody asked for it", "revert": head_of(number, 9)}
                moves = await self._after(body, self._end(number, Stage.REVERTED, _STANDING, **gone))
        return moves or await super().answer(body)

    async def _after(self, body: BaseModel, work: Awaitable[BaseModel]) -> BaseModel:
        self.asked.append(body)
        return await work

    def _show(self, body: say.Show) -> BaseModel:
        there = self.proposals.get(body.number)
        if there is None:
            return say.Refused(why=f"there is no proposal {body.number}")
        return say.ProposalIs(proposal=there)

    def _list(self, _body: say.Proposals) -> BaseModel:
        return say.ProposalsAre(proposals=tuple(sorted(self.proposals.values(), key=lambda one: -one.number)))

    def _diff(self, body: say.Diff) -> BaseModel:
        number = body.number
        if number not in self.proposals:
            return say.Refused(why=f"there is no proposal {number}")
        return say.DiffIs(
            number=number, head=self.proposals[number].head, files=self.files.get(number, FILES)
        )

    async def _end(self, number: int, stage: Stage, allowed: Sequence[Stage], **fields: Any) -> BaseModel:
        now = self.proposals[number].stage
        if now not in allowed:
            return say.Refused(why=f"proposal {number} is {now}")
        return await self._told(number, stage, **fields)

    def open(self, number: int = 1, by: str = "console:ann", **fields: Any) -> Proposal:
        """Put a proposal there that waits for an approval."""
        head = fields.pop("head", head_of(number))
        made: dict[str, Any] = {
            "title": "Show each die that was thrown",
            "goal": "when I roll several dice, show me each of them",
            "reason": "A sum alone cannot be checked by those who play. Each die is shown behind it, in the order thrown.",
            "author": "model",
            "model": "anthropic/claude-sonnet-5",
            "tokens": 18_412,
            "cost": 0.0934,
            "edits": EDITS,
            "branch": f"improve/{number}-show-each-die-that-was-thrown",
            "head": head,
            "report": judged(head, self.rules.policy, self.findings),
        }
        one = Proposal(number=number, stage=Stage.REQUESTED, requested_by=by, **{**made, **fields})
        self.proposals[number] = one
        for stage in (Stage.REQUESTED, Stage.DRAFTED, Stage.GATED, Stage.OPENED):
            self.move(number, stage)
        return self.proposals[number]

    def move(self, number: int, stage: Stage, **fields: Any) -> Proposal:
        """Let a proposal come to a stage; nobody is told."""
        one = self.proposals[number]
        last = one.history[-1].at if one.history else BEGAN
        history = (*one.history, StageTime(stage=stage, at=last + timedelta(seconds=23)))
        one = one.model_copy(update={"stage": stage, "history": history, **fields})
        self.proposals[number] = one
        return one

    async def tell(self, number: int, text: str = "") -> None:
        """Tell where a proposal stands."""
        stage = self.proposals[number].stage
        assert self.peer is not None
        await self.peer.notify(
            say.Progress(number=number, stage=stage, text=text or stage.value, seconds=4.0)
        )

    async def news(self, text: str) -> None:
        """Tell something that happened by itself."""
        assert self.peer is not None
        await self.peer.notify(say.News(text=text))

    async def go(self, number: int, stage: Stage, text: str = "", **fields: Any) -> None:
        """Let a proposal come to a stage, and tell it, as when somebody at the console decided."""
        self.move(number, stage, **fields)
        await self.tell(number, text)

    async def _told(self, number: int, stage: Stage, **fields: Any) -> BaseModel:
        await self.go(number, stage, **fields)
        return say.ProposalIs(proposal=self.proposals[number])

    async def _improve(self, body: say.Improve) -> BaseModel:
        number = max(self.proposals, default=0) + 1
        wish = body.request
        self.proposals[number] = Proposal(
            number=number, stage=Stage.REQUESTED, requested_by=wish.requested_by, goal=wish.goal
        )
        self.move(number, Stage.REQUESTED)
        await self.tell(number, "asked for")
        await self.judging.wait()
        self.open(number, wish.requested_by, goal=wish.goal)
        await self.tell(number, "open for review")
        return say.ProposalIs(proposal=self.proposals[number])

    async def _approve(self, body: say.Approve) -> BaseModel:
        one = self.proposals[body.number]
        report = one.report
        assert report is not None
        candidate = Candidate(
            number=one.number,
            stage=one.stage.value,
            head=one.head,
            requested_by=one.requested_by,
            verdict=report.verdict,
            judged_head=report.head,
            judged_policy=report.policy,
            reverts=0,
            approvals=one.approvals,
        )
        decision = may_approve(candidate, body.who, body.head, self.rules)
        if not decision.allowed:
            return say.Refused(why=decision.why)
        approvals = (*one.approvals, body.by)
        if one.approvals_missing > 1:
            return await self._told(one.number, Stage.OPENED, approvals=approvals, approved_head=one.head)
        await self.go(one.number, Stage.APPROVED, approvals=approvals, approved_head=one.head)
        await self.merging.wait()
        await self.go(one.number, Stage.MERGED, merge=head_of(one.number, 8))
        return await self._told(one.number, Stage.LIVE)
