"""Agents that ask each other: each is a prompt of the generation, with a turn of its own out of the same purse."""

from dataclasses import dataclass, replace

from agent.chat.loop import within
from agent.chat.turn import Run, Turn
from agent.ports import ProviderFailed
from agent.tool import Result, ToolRefused
from agent.types import Message
from policies.limits import may_consult
from policies.load import ToolRules

LONGEST_QUESTION = 16_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Consultation:
    """What `context.agents` is while one turn runs. Satisfies `agent.tool.Agents`."""

    turn: Turn
    run: Run
    rules: ToolRules

    async def ask(self, agent: str, question: str) -> Result:
        """Another agent's answer. It may use the tools that the asker may, and what it costs counts for the asker.

        Raises:
            ToolRefused: There is no such agent, it would be too deep or a circle, or no model answered.
        """
        asker = self.turn
        known = asker.toolbox.agents
        if agent not in known:
            raise ToolRefused(
                f"there is no agent {agent[:48]!r}; there are: {', '.join(sorted(known)) or 'none'}"
            )
        decision = may_consult(agent, asker.place.asked, self.rules.depth)
        if not decision.allowed:
            raise ToolRefused(decision.why)
        # One after the other: side by side, each would spend all that is left.
        async with asker.asking:
            return await self._asked(agent, known[agent], question)

    async def _asked(self, agent: str, instructions: str, question: str) -> Result:
        asker = self.turn
        # What a model wrote after it read text from outside is no address that somebody gave.
        given = [*asker.given, *([] if asker.outside else [question])]
        turn = Turn(
            messages=[
                Message(role="system", text=instructions),
                Message(role="user", text=question[:LONGEST_QUESTION]),
            ],
            toolbox=asker.toolbox,
            place=replace(asker.place, asked=(*asker.place.asked, agent)),
            specs=asker.specs,
            outside=asker.outside,
            mark=asker.mark,
            stays=asker.stays,
            kept_back=asker.kept_back,
            needs=asker.needs.model_copy(update={"vision": False, "combine": False}),
            given=list(given),
        )
        try:
            said = await within(asker, turn, self.run, self.rules.agent_rounds)
        except ProviderFailed as failure:
            raise ToolRefused(f"{agent} could not answer: {failure}") from None
        finally:
            asker.given += turn.given[len(given) :]
            # Whatever the tool that asked says of its answer.
            asker.outside = asker.outside or turn.outside
        sources = tuple(dict.fromkeys(source for answered in turn.calls for source in answered.sources))
        return Result(said.strip() or f"{agent} had nothing to say.", sources, untrusted=turn.outside)
