"""Routers over models of which a test knows what they say, on a clock of its own."""

from collections.abc import Sequence

from agent.models.catalogue import Row
from agent.models.offers import Offer
from agent.models.router import Router
from agent.ports import ModelProvider
from agent.types import (
    Ask,
    Completion,
    Message,
    Needs,
    Routed,
    ToolSpec,
)
from tests.fakes.scripted import Turn

HELLO = Ask(messages=(Message(role="user", text="hello"),))
WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
TOOLED = HELLO.model_copy(update={"tools": (WEATHER,)})
TROUBLE = Turn(status=500, times=0, retry_after=None)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Read it."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait without waiting."""
        self.slept.append(seconds)
        self.now += seconds


def routed_over(*providers: ModelProvider, time: Time | None = None, rows: Sequence[Row] = ()) -> Router:
    """A router over some models, each of a vendor of its own."""
    time = time or Time()
    given = [*rows, *[Row(tools="yes", vision="yes", context=100_000)] * (len(providers) - len(rows))]
    offers = [
        Offer(f"vendor{at}", provider, row)
        for at, (provider, row) in enumerate(zip(providers, given, strict=True))
    ]
    return Router(offers, clock=time, sleep=time.sleep, chance=lambda: 0.0)


async def all_of(
    router: Router, ask: Ask = HELLO, needs: Needs | None = None
) -> list[str | Routed | Completion]:
    """Everything that a stream brings."""
    return [piece async for piece in router.stream(ask, needs or Needs())]


async def text_of(router: Router, ask: Ask = HELLO) -> str:
    """The text of the answer."""
    last = (await all_of(router, ask))[-1]
    assert isinstance(last, Completion)
    return last.text
