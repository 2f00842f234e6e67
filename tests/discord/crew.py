"""The bot itself on Discord, with live code and a steward made for tests."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.discord.client import Client
from bot.discord.conversation.answering import PACE, Pace
from bot.surface import unseen
from bot.theseus import Bot, Mind
from policies.load import load_rules
from selfedit import protocol as say
from selfedit.types import LoadPlan, NoDraft
from tests.discord.clients import READY_SECONDS, connected
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.plans import echo, plan
from tests.fakes.steward import Answers, FakeSteward, linked

ECHO = echo("ahoy")
AGAIN = plan(
    {
        "bot/live/again/feature.py": """
            from bot.feature import Registry, Turn

            async def again(turn: Turn) -> str:
                times, _, text = turn.text.partition(" ")
                return f"{text or times or 1}\\n\\n" * (int(times) if times.isdigit() else 1)

            def setup(registry: Registry) -> None:
                registry.command("again", again, usage="again N TEXT", summary="says it again and again")
        """
    }
)
LIVE = ECHO.model_copy(update={"files": (*ECHO.files, *AGAIN.files)})
"""Live code that says a text back, once or more often."""


class _Client(Client):
    """The bot's client; it does not wait the five seconds between sessions that Discord asks for."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Go on at once."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The bot and what is around it."""

    bot: Bot
    client: Client
    brain: ScriptedBrain
    steward: FakeSteward

    async def load(self, live: LoadPlan) -> None:
        """Have it serve other live code."""
        await self.bot.hear(say.Load(plan=live))


async def no_author() -> NoDraft:
    """There is no model that drafts."""
    return NoDraft(why="no model")


@asynccontextmanager
async def aboard(
    server: DiscordServer,
    *maintainers: str,
    answers: Answers | None = None,
    register_seconds: float = 60.0,
    home: Path | None = None,
    live: LoadPlan = LIVE,
    mind: Mind | None = None,
    pace: Pace = PACE,
    calm_seconds: float = 0.0,
    secrets: Sequence[str] = (),
    tell: Callable[[str], object] = unseen,
    steward: FakeSteward | None = None,
    test_server: int | None = None,
) -> AsyncIterator[Crew]:
    """The bot, connected, with live code that says each text back; with a home, it keeps there what outlives it."""
    brain, steward = ScriptedBrain("none"), steward or FakeSteward(answers or {})
    rules = load_rules()
    named = tuple(f"discord:{one}" for one in maintainers)
    approval = rules.approval.model_copy(update={"maintainers": named})
    bot = Bot(rules.model_copy(update={"approval": approval}), mind or brain, no_author, secrets)
    async with linked(steward, bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=live))
        client = _Client(
            bot,
            home=home,
            register_seconds=register_seconds,
            test_server=test_server,
            pace=pace,
            calm_seconds=calm_seconds,
            tell=tell,
        )
        client._connection.guild_ready_timeout = READY_SECONDS
        client.review.board.pause = 0.0
        async with connected(server, client):
            yield Crew(bot, client, brain, steward)
