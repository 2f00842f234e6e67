"""The bot itself within SimCord, with live code and a steward made for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bot.discord import session
from bot.discord.client import Client
from bot.theseus import Bot
from policies.load import load_rules
from policies.rights import Capability, Grant
from selfedit import protocol as say
from tests.discord.crew import LIVE, no_author
from tests.fakes.brain import ScriptedBrain
from tests.fakes.steward import Answers, FakeSteward, linked

MISSING = "SimCord is not installed; scripts/setup counterparts brings it"


@dataclass(frozen=True, slots=True)
class Sim:
    """The bot and the Discord around it; what SimCord hands out is untyped here, as it need not be installed."""

    env: Any
    guild: Any
    room: Any
    ann: Any
    bob: Any
    bot: Bot
    client: Client
    brain: ScriptedBrain
    steward: FakeSteward

    @property
    def us(self) -> str:
        """The bot, mentioned."""
        assert self.client.user is not None, "nobody is signed in"
        return self.client.user.mention

    def allow(self, member: Any, capability: Capability) -> None:
        """Let somebody do something."""
        self.bot.grants |= {Grant(f"discord:{member.id}", capability)}


@asynccontextmanager
async def aboard(answers: Answers | None = None, steward: FakeSteward | None = None) -> AsyncIterator[Sim]:
    """The bot on a server with two people; whatever it fails at fails the test."""
    simcord = pytest.importorskip("simcord", reason=MISSING)
    # What stands for a connection there has no session that could be handed over.
    socket = pytest.importorskip("simcord.gateway").FakeWebSocket
    socket.session_id = socket.sequence = None
    brain, steward = ScriptedBrain("none"), steward or FakeSteward(answers or {})
    bot = Bot(load_rules(), brain, no_author)
    # SimCord waits for everything that is due soon, so what comes again and again comes seldom here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "KEEP_SECONDS", 3600.0)
        async with _within(simcord, bot, brain, steward) as sim:
            yield sim


@asynccontextmanager
async def _within(simcord: Any, bot: Bot, brain: ScriptedBrain, steward: FakeSteward) -> AsyncIterator[Sim]:
    async with linked(steward, bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=LIVE))
        client = Client(bot, register_seconds=3600.0)
        client.review.board.pause = 0.0
        async with simcord.run(client) as env:
            guild = env.create_guild("Harbour")
            room = guild.create_text_channel("general")
            ann, bob = (guild.add_member(env.create_user(name)) for name in ("ann", "bob"))
            with env.time_context():
                yield Sim(env, guild, room, ann, bob, bot, client, brain, steward)
