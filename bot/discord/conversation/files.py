"""Files that somebody sent: how each is fetched, when it is wanted."""

import logging
from collections.abc import Sequence
from functools import partial

import discord

from agent.incoming.attached import Unfit, shown_name
from bot.attaching import Sent
from bot.discord.patience import UNREACHABLE

log = logging.getLogger("theseus.discord")


def sent(files: Sequence[discord.Attachment]) -> list[Sent]:
    """Files of a message or command, none of them read yet."""
    return [Sent(file.filename, file.size, partial(_fetch, file)) for file in files]


def said(name: str, text: str) -> Sent:
    """What somebody else wrote, as a file: so it reaches a model as material, and never as something to be done."""
    data = text.encode()

    async def fetch() -> bytes:
        return data

    return Sent(name, len(data), fetch)


async def _fetch(file: discord.Attachment) -> bytes | Unfit:
    try:
        return await file.read()
    except UNREACHABLE as error:
        log.warning("an attachment could not be read: %s", error)
        return Unfit(f"{shown_name(file.filename)} could not be fetched from Discord; send it again.")
