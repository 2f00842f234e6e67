"""Where a model author works: what it may look at, and how it has a draft judged."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from policies.decision import Finding
from selfedit import protocol as say
from selfedit.types import Draft, GateReport


class Bench:
    """What the model author may look at; its trial gate is the steward's."""

    def __init__(self, ask: Callable[[BaseModel], Awaitable[BaseModel]], call: say.AskDraft) -> None:
        """Lay it out.

        Args:
            ask: Asks the steward.
            call: What the steward wants drafted.
        """
        self._ask, self._call = ask, call.id
        self.files = call.files

    async def trial(self, draft: Draft) -> GateReport | Finding:
        """Have a draft judged."""
        answer = await self._ask(say.Trial(draft_call=self._call, draft=draft))
        match answer:
            case say.TrialIs(report=GateReport() as report):
                return report
            case say.TrialIs(findings=(first, *_)):
                return first
            case say.Refused(why=why):
                return Finding(rule="no_trial", message=why)
        return Finding(rule="no_trial", message="the steward said nothing about this draft")
