"""The author that lives in the bot, as the steward reaches it."""

import uuid
from collections.abc import Sequence

from policies.decision import Finding
from selfedit import protocol as say
from selfedit.ports import Tell, Workbench
from selfedit.proposals.row import NOT_SPLIT
from selfedit.running.bot_process import BotProcess
from selfedit.types import Draft, NoDraft, Plan, Request, Reviewed


class ModelByBot:
    """The author that lives in the bot, because the bot holds the model keys; reached over the link."""

    def __init__(self, bot: BotProcess | None) -> None:
        self._bot = bot
        self.benches: dict[str, Workbench] = {}

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft | Plan:
        """Ask the bot for a draft; its wishes for a trial gate come back as `Trial` and use the same bench."""
        return await self._ask(request, bench, complaints, None, tell)

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """Ask the bot to draft again what is under review."""
        answer = await self._ask(request, bench, complaints, reviewed, tell)
        return NoDraft(why=NOT_SPLIT) if isinstance(answer, Plan) else answer

    async def _ask(
        self,
        request: Request,
        bench: Workbench,
        complaints: Sequence[Finding],
        reviewed: Reviewed | None,
        tell: Tell,
    ) -> Draft | NoDraft | Plan:
        del tell
        if self._bot is None:
            return NoDraft(
                why="a goal in words needs a model, and models live in the bot: start it with scripts/run"
            )
        call = uuid.uuid4().hex
        self.benches[call] = bench
        try:
            ask = say.AskDraft(
                id=call,
                request=request,
                files=dict(bench.files),
                complaints=tuple(complaints),
                reviewed=reviewed,
            )
            answer = await self._bot.draft(ask)
        finally:
            del self.benches[call]
        return NoDraft(why=answer.why) if isinstance(answer, say.Refused) else answer.result
