"""What tests of reviewing share: a steward under whom proposals live, and how a card is read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from policies.load import load_rules
from tests.discord.crew import Crew, aboard
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Json, Message, User
from tests.fakes.life import LivingSteward


def steward_of(*maintainers: User) -> LivingSteward:
    """A steward for whom these may approve."""
    rules = load_rules()
    named = tuple(f"discord:{one.id}" for one in maintainers)
    return LivingSteward(
        rules.model_copy(update={"approval": rules.approval.model_copy(update={"maintainers": named})})
    )


def field(card: Message, name: str) -> str:
    """What a part of a card says; empty where there is no such part."""
    embeds = card.data["embeds"]
    fields = embeds[0].get("fields", ()) if embeds else ()
    return next((str(one["value"]) for one in fields if one["name"].startswith(name)), "")


def button(card: Message, label: str) -> Json:
    """A button below a message, by the beginning of its label."""
    return next(part for part in card.parts() if str(part.get("label", "")).startswith(label))


def press(server: DiscordServer, user: User, card: Message, label: str) -> Interaction:
    """Let somebody press a button that works."""
    return server.click(user, card, button(card, label)["custom_id"])


async def pressed(server: DiscordServer, user: User, card: Message, label: str) -> Message:
    """Let somebody press a button; the message that answers it."""
    used = press(server, user, card, label)
    await server.until(lambda: used.done and used.original is not None)
    assert used.original is not None
    return used.original


async def shown(crew: Crew, server: DiscordServer, user: User, room: Channel, number: int = 1) -> Message:
    """What somebody sees who asks for a proposal: its card, if it had none."""
    used = server.slash(user, room, "proposal", number=number)
    await server.until(lambda: used.done)
    await crew.client.review.settled()
    assert used.original is not None
    return used.original


@asynccontextmanager
async def reviewed(
    server: DiscordServer, user: User, room: Channel, **how: Any
) -> AsyncIterator[tuple[Crew, LivingSteward, Message]]:
    """A session in which an open proposal has its card; its maintainer is `user`, and `how` is what `aboard` takes."""
    steward = steward_of(user)
    steward.open(1)
    async with aboard(server, user.id, steward=steward, **how) as crew:
        yield crew, steward, await shown(crew, server, user, room)
