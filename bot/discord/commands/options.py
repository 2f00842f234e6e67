"""The fields of slash commands: made of what commands say they take, with what is offered while they are filled in."""

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.control.options import LARGEST_NUMBER, Option

LONGEST_DESCRIPTION = 100
"""Characters of a description; Discord takes no more."""
MOST_OFFERED = 25
"""Things that are offered while somebody types; Discord takes no more."""
LONGEST_OFFER = 100
"""Characters of one of them."""

Given = Mapping[str, Any]
"""What was filled in, by field."""
Run = Callable[[discord.Interaction, Given], Awaitable[None]]
"""Carries out a command with what was filled in."""
Offer = Callable[[discord.Interaction, Option, str], Awaitable[list[app_commands.Choice[Any]]]]
"""What is offered for a field of which so much is typed."""

_KINDS: dict[str, Any] = {
    "number": app_commands.Range[int, 1, LARGEST_NUMBER],
    "yes": bool,
    "file": discord.Attachment,
    "person": discord.User,  # also of a server's member: whether somebody is one is for the command to say
}


def built(
    name: str, described: str, options: Sequence[Option], run: Run, offer: Offer
) -> app_commands.Command[Any, ..., None]:
    """A command as the library wants it: a function whose parameters are the fields."""

    async def use(interaction: discord.Interaction, **given: Any) -> None:
        await run(interaction, given)

    fields = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=_annotation(option),
            default=inspect.Parameter.empty if option.required else None,
        )
        for option in options
    ]
    first = inspect.Parameter(
        "interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction
    )
    use.__dict__["__signature__"] = inspect.Signature([first, *fields])
    app_commands.describe(**{option.name: short(option.summary) for option in options})(use)
    app_commands.choices(
        **{
            option.name: [app_commands.Choice(name=one, value=one) for one in option.choices]
            for option in options
            if option.choices
        }
    )(use)
    app_commands.autocomplete(
        **{option.name: _offering(offer, option) for option in options if option.suggests}
    )(use)
    return app_commands.Command(name=name, description=short(described), callback=use)


def matching(typed: str, names: Iterable[str]) -> list[str]:
    """Names that fit what was typed so far, best first: those that begin with it, then words that do, then the rest."""
    wanted = typed.strip().casefold()

    def rank(name: str) -> int:
        found = name.casefold().find(wanted)
        if found <= 0:
            return found
        return 1 if re.search(rf"[\W_]{re.escape(wanted)}", name.casefold()) else 2

    fitting = [name for name in dict.fromkeys(names) if rank(name) >= 0 and len(name) <= LONGEST_OFFER]
    return sorted(fitting, key=rank)[:MOST_OFFERED]


def short(text: str, most: int = LONGEST_DESCRIPTION) -> str:
    """A text in so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _annotation(option: Option) -> Any:
    kind = _KINDS.get(option.kind) or app_commands.Range[str, 1, option.longest]
    kind = str if option.choices else kind
    return kind if option.required else kind | None


def _offering(
    offer: Offer, option: Option
) -> Callable[[discord.Interaction, str], Coroutine[Any, Any, list[app_commands.Choice[Any]]]]:
    async def offering(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[Any]]:
        return await offer(interaction, option, str(typed))

    return offering
