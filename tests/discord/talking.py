"""The bot on Discord with the real chat: the live feature, memory on disk, and a model that plays a script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.records.turns import Turns
from bot.discord.client import Client
from bot.discord.conversation.answering import Pace
from bot.feature import ModelFailed
from policies.load import Rules, load_rules
from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Message, User
from tests.fakes.plans import plan
from tests.fakes.scripted import ScriptedModel, Turn

CHAT = Path("bot/live/chat/feature.py")
SOON = Pace(3_600.0, 0.0)
"""Nothing is shown before it is whole."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The bot, as a test talks with it."""

    server: DiscordServer
    client: Client
    brain: Brain
    model: ScriptedModel

    async def ask(
        self,
        author: User,
        channel: Channel,
        text: str,
        *,
        reply_to: Message | None = None,
        attachments: dict[str, bytes] | None = None,
    ) -> tuple[Message, Message]:
        """Let somebody ask the bot; what was said, and the answer to it."""
        said = self.server.say(
            author, channel, f"<@{self.server.bot.id}> {text}", reply_to=reply_to, attachments=attachments
        )
        return said, await self.answer(said)

    async def answer(self, said: Message) -> Message:
        """The answer to what was said, when all of it is there."""

        def answers() -> list[Message]:
            return [one for one in said.channel.messages if _answered(one) == said.id]

        await self.server.until(answers)
        await self.client.idle()
        return answers()[0]

    @property
    def shown(self) -> list[str]:
        """What the model was last shown, but for its instructions."""
        asked: list[dict[str, Any]] = self.model.script.requests[-1]["messages"]
        return [str(one["text"]) for one in asked if one["role"] != "system"]


@asynccontextmanager
async def talking(
    server: DiscordServer, home: Path, *says: str, rules: Rules | None = None, pace: Pace = SOON
) -> AsyncIterator[Talk]:
    """The bot, connected; its model says these things one after the other."""
    rules = rules or footer("never")
    model = ScriptedModel(*(Turn(text=text) for text in says))
    brain = Brain(OneModel(model), rules, failed=ModelFailed, turns=Turns(home / "turns.sqlite3"))
    live = plan({str(CHAT): CHAT.read_text()})
    try:
        async with aboard(server, live=live, mind=brain, home=home, pace=pace) as crew:
            yield Talk(server, crew.client, brain, model)
    finally:
        await brain.close()


def footer(shown: str) -> Rules:
    """The rules, with that footer."""
    rules = load_rules()
    return rules.model_copy(update={"tools": rules.tools.model_copy(update={"footer": shown})})


def _answered(message: Message) -> str:
    return str((message.data.get("message_reference") or {}).get("message_id", ""))
