"""Slash commands: offers what works now, and answers what is used.

Names, texts and fields come from the commands themselves, live ones included. A command of the kernel has the fields that
it says it takes; a live one takes one text, in the form in which it is typed.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import discord
from discord import app_commands

from agent.guardrails.redaction import whereabouts
from agent.incoming.wish import Wish
from bot.asking import FIELDS, FILES, filled_in
from bot.attaching import Files, Sent
from bot.control.commands import CHAT, CONSOLE_ONLY, MODERATE, TOLD, Asked, Unclear, needs, options_of, parse
from bot.control.options import Option, typed
from bot.discord.commands.offers import Offers
from bot.discord.commands.options import Given, built
from bot.discord.commands.registration import AnyCommand, Registration
from bot.discord.conversation.answering import Answer, Used, unnoted
from bot.discord.conversation.files import sent
from bot.discord.conversation.reading import place_of
from bot.discord.incoming.inbox import Inbox
from bot.discord.patience import TAKEN, UNREACHABLE, patiently, promptly
from bot.discord.person import Who
from bot.feature import CommandInfo
from bot.messages import Messages, own_place
from bot.surface import Show, Theseus, unseen
from policies.rights import Person

HELP = "help"
"""The live command whose answer is for who asks alone."""
GONE = "This command is not there any more; /help lists what works."
CHANGED = "This command has changed meanwhile, and your Discord does not know it yet; try again in a minute, or type it."
FAILED = "Sorry, that failed, and it is written down; try again."
MOST = 90
"""Commands that are registered; Discord takes 100 in all, menus apart."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_WORDS = (Option("text", ""),)
"""All that live code is handed of a command."""

Work = Callable[[Show], Awaitable[str]]
"""Finds out what is answered, and may show pieces of it while it is being written."""
Open = Callable[[discord.Interaction], Awaitable[None]]
"""Answers a command in a way of its own, from the promise on."""
CarryOut = Callable[[discord.Interaction, Asked, Person], Awaitable[None]]
"""Answers a control command for somebody who may use it, from the promise on."""

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Means:
    """With what commands are answered.

    Attributes:
        theseus: The bot.
        messages: Answers lines and questions of people.
        files: Reads what comes along.
        inbox: Knows what was accepted before.
        who: Somebody, in the terms of rights.
        opens: By name, commands that are answered in a way of their own.
        control: Answers control commands.
    """

    theseus: Theseus
    messages: Messages
    files: Files
    inbox: Inbox
    who: Who
    opens: Mapping[str, Open]
    control: CarryOut


class Slash(app_commands.CommandTree[discord.Client]):
    """The commands of one session."""

    def __init__(self, client: discord.Client, means: Means, test_server: int | None = None) -> None:
        """Begin with no command.

        Args:
            client: The session.
            means: With what is answered.
            test_server: The id of the server that hears of commands at once, also before they are kept.
        """
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
        )
        self._means = means
        self._offer = Offers(means.theseus, means.who).offer
        self._registration = Registration(self, test_server)
        self._offered: tuple[tuple[CommandInfo, ...], bool] | None = None
        self.beside: Callable[[], Sequence[AnyCommand]] = tuple
        """Makes what is offered beside these: entries of context menus, and commands with parts."""

    async def register(self) -> None:
        """See to it that Discord offers what works now. Where it cannot be done now, what was there stays."""
        theseus = self._means.theseus
        offered = tuple(theseus.commands), theseus.kept
        if offered == self._offered:
            return
        others = CONSOLE_ONLY | {MODERATE}
        kept = [info for info in offered[0] if info.name not in others and _NAME.fullmatch(info.name)]

        def make() -> Sequence[AnyCommand]:
            return [*map(self._command, kept[:MOST]), *self.beside()]

        if await self._registration.offer(make, kept=offered[1]):
            self._offered = offered

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Leave nobody waiting: say that a command is gone or has changed, or that it failed, and write that down."""
        text = FAILED
        if isinstance(error, app_commands.CommandNotFound):
            text = GONE
        elif isinstance(error, app_commands.CommandSignatureMismatch | app_commands.TransformerError):
            text = CHANGED
        else:
            log.error("a command failed: %s", whereabouts(error))  # its text may be what somebody said
        await tell_alone(interaction, text)

    # What commands there are

    def _command(self, info: CommandInfo) -> app_commands.Command[Any, ..., None]:
        name = info.name
        if name == CHAT:
            return built(name, info.summary, FIELDS, self._chat, self._offer)
        options = options_of(name)
        if options is None or info.live:
            taken = info.usage.removeprefix(name).strip()
            options = (Option("text", taken, required=not taken.startswith("[")),) if taken else ()

        async def run(interaction: discord.Interaction, given: Given) -> None:
            # What Discord shows may be older than what serves; live code is handed the words all the same.
            said = {"text": interaction.namespace.text} if info.live else given
            await self.line(interaction, name, typed(name, _WORDS if info.live else options, said))

        return built(name, info.summary or name, options, run, self._offer)

    # How they are answered

    async def line(self, interaction: discord.Interaction, name: str, line: str) -> None:
        """Answer a command as if it had been typed."""
        with self._means.inbox.use(interaction) as fresh:
            if fresh:
                await self._line(interaction, name, line)

    async def _line(self, interaction: discord.Interaction, name: str, line: str) -> None:
        means, place = self._means, place_of(interaction)
        if (opens := means.opens.get(name)) is not None:
            await opens(interaction)
            return
        person = await means.who(interaction.user)
        asked = parse(line, person.id, files=False, roles=person.roles)
        allowed = means.theseus.may("chat" if asked is None else needs(line), person).allowed
        if allowed and isinstance(asked, Asked):
            await means.control(interaction, asked, person)
            return
        # What these tell is for who asks, not for the channel; nor is it anybody else's matter who may not do something.
        alone = name in TOLD or name == HELP or not allowed or isinstance(asked, Unclear)

        async def work(show: Show) -> str:
            return await means.messages.reply(line, person, place, show=show)

        await self._answer(interaction, f"/{name}", work, alone=alone)

    async def _chat(self, interaction: discord.Interaction, given: Given) -> None:
        """Answer a question whose fields are filled in."""
        files = [given[name] for name in FILES if given.get(name) is not None]
        alone = bool(given.get("private"))

        async def work(show: Show) -> str:
            return await self.asked(interaction, given, sent(files), show, alone=alone)

        await self.answer(interaction, f"/{CHAT}", work, alone=alone)

    async def asked(
        self,
        interaction: discord.Interaction,
        given: Given,
        files: Sequence[Sent],
        show: Show = unseen,
        *,
        alone: bool,
    ) -> str:
        """The answer to a question that was put into fields, with what comes along.

        Args:
            interaction: Where it was asked.
            given: What was filled in, by field of `/chat`.
            files: What comes along, not read yet.
            show: Hears pieces of the answer while it is being written.
            alone: Whether only who asks sees it; it is then a conversation of its own, of which the channel's knows nothing.
        """
        person, place = await self._means.who(interaction.user), place_of(interaction)
        place = own_place(place, person) if alone else place
        # Nothing is fetched for a question that would not be asked.
        if files and (why := self._means.theseus.recall.refuses(person.id, place)):
            return why
        taken, unread = await self._means.files.look_at(files)
        question = filled_in(given, Wish(attachments=taken, source=str(interaction.id)))
        if isinstance(question, Unclear):
            return "\n".join([*unread, question.why])
        answer = await self._means.messages.ask(question, person, place, show)
        return "\n".join([*unread, answer])

    async def answer(
        self,
        interaction: discord.Interaction,
        name: str,
        work: Work,
        *,
        alone: bool = False,
        noted: bool = True,
    ) -> None:
        """Promise an answer at once, and keep the promise where it was made, or in the channel if it came too late.

        Args:
            interaction: What was used; nothing was answered to it yet. What was accepted before is left alone.
            name: What it is called, as people know it.
            work: Finds out what is answered, once the promise stands.
            alone: Whether only who used it sees the answer.
            noted: Whether what is shown there is the answer, and not only the way to it.
        """
        with self._means.inbox.use(interaction) as fresh:
            if fresh:
                await self._answer(interaction, name, work, alone=alone, noted=noted)

    async def _answer(
        self, interaction: discord.Interaction, name: str, work: Work, *, alone: bool, noted: bool = True
    ) -> None:
        try:
            await promptly(lambda: interaction.response.defer(thinking=True, ephemeral=alone))
        except UNREACHABLE as error:
            log.warning("a command was not answered in time, so it is not carried out: %s", error)
            self._means.inbox.lost(interaction.id, "Discord did not take a first answer in time")
            return
        note = partial(self._means.inbox.sent, interaction.id) if noted else unnoted
        way = Used(interaction, alone, name, note)
        async with Answer(way, clean=self._means.theseus.discreet) as answer:
            text = await work(answer.show)
            try:
                await answer.finish(text)
            except UNREACHABLE as error:
                log.exception("an answer could not be sent")
                why = f"Discord did not take the answer: {type(error).__name__}"
                self._means.inbox.lost(interaction.id, why)


async def tell_alone(interaction: discord.Interaction, text: str) -> None:
    """Say a sentence to who used something, and to nobody else where that can still be chosen."""
    try:
        if not interaction.response.is_done():
            try:
                await interaction.response.send_message(text, ephemeral=True)
            except discord.HTTPException as error:
                if error.code != TAKEN:
                    raise
            else:
                return
        await patiently(lambda: interaction.edit_original_response(content=text))
    except UNREACHABLE as problem:
        log.warning("that could not be said: %s", problem)
