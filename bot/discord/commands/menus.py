"""What can be done with a message that somebody wrote: ask about it, summarise from it on, have something improved.

What others wrote reaches a model as material that comes along, as files do, and never as something to be done.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import discord
from discord import app_commands

from agent.guardrails.redaction import whereabouts
from bot.attaching import Sent
from bot.control.commands import LONGEST_GOAL
from bot.discord.commands.registration import AnyCommand
from bot.discord.commands.slash import FAILED, Means, Slash, tell_alone
from bot.discord.conversation.files import said, sent
from bot.discord.conversation.layout import lay_out
from bot.discord.conversation.reading import beside
from bot.discord.incoming.places import as_files
from bot.discord.patience import UNREACHABLE, patiently
from bot.surface import Show, unseen
from policies.rights import Capability

ASK, SUMMARISE, IMPROVE = "Ask about this message", "Summarise from here", "Improve from this message"
MOST_READ = 200
"""Messages that are read for a summary, from the one that was chosen on."""
MOST_CHARS = 20_000
"""Characters of them: as many as a model is shown of a file."""
LONGEST_QUESTION = 2000
LONGEST_QUOTE = 1500
"""Characters of a quoted message that stand in a goal."""
OPEN_SECONDS = 900.0
"""How long a form can be filled in."""
SUMMARY = (
    "Summarise the conversation in the attached file for somebody who was away: what it is about, what was decided, what "
    "is still open. Say who said what where that matters."
)
CLOSED = "I may not read what was said here before; a manager can allow that: Read Message History."

Filled = Callable[[discord.Interaction, Mapping[str, str]], Awaitable[None]]
"""Hears what was put into a form, by field."""

log = logging.getLogger("theseus.discord")


class Menus:
    """The entries of the context menu of messages."""

    def __init__(self, slash: Slash, means: Means) -> None:
        self._slash, self._means = slash, means

    def entries(self) -> Sequence[AnyCommand]:
        """All of them, as they are registered."""
        return [
            app_commands.ContextMenu(name=ASK, callback=self._ask),
            app_commands.ContextMenu(name=SUMMARISE, callback=self._summarise),
            app_commands.ContextMenu(name=IMPROVE, callback=self._improve),
        ]

    async def _ask(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Open a form for a question about a message."""
        if not await self._may(interaction, "chat"):
            return

        async def asked(filled: discord.Interaction, given: Mapping[str, str]) -> None:
            await self._about(filled, message, given["prompt"], alone=given["seen_by"] == "me")

        form = Form(ASK, asked)
        form.words("prompt", "What do you want to know?", LONGEST_QUESTION)
        form.choice("seen_by", "Who sees the answer?", {"everyone": "Everyone here", "me": "Only me"})
        await interaction.response.send_modal(form)

    async def _about(
        self, interaction: discord.Interaction, message: discord.Message, question: str, *, alone: bool
    ) -> None:
        """Answer a question about a message: below it, or to who asked alone."""
        files = [said("message.txt", told(message)), *sent(message.attachments)]

        async def work(show: Show) -> str:
            answer = await self._slash.asked(
                interaction, {"prompt": question}, files, show if alone else unseen, alone=alone
            )
            if alone:
                return answer
            return await self._reply(interaction, message, f"> {_line(question)}\n{answer}") or answer

        await self._slash.answer(interaction, ASK, work, alone=True, noted=alone)

    async def _reply(self, interaction: discord.Interaction, message: discord.Message, text: str) -> str:
        """Send an answer below a message; where it stands, or nothing where it could not be sent."""
        layout = lay_out(text)
        place = self._slash.client.get_partial_messageable(message.channel.id, guild_id=interaction.guild_id)
        below = discord.MessageReference(
            message_id=message.id, channel_id=message.channel.id, fail_if_not_exists=False
        )
        file = [] if layout.file is None else [(layout.name, layout.file)]

        async def send(at: int, piece: str) -> discord.Message:
            more: dict[str, Any] = {"reference": below, "files": as_files(file)} if at == 0 else {}
            return await place.send(piece, nonce=f"{interaction.id}-{at}", suppress_embeds=True, **more)

        links = []
        try:
            for at, piece in enumerate(layout.messages):
                made = await patiently(partial(send, at, piece))
                self._means.inbox.sent(interaction.id, at, made.id)
                links.append(made.jump_url)
        except UNREACHABLE as error:
            log.warning("an answer could not be sent below a message: %s", error)
            return ""
        return f"Answered below that message: {links[0]}"

    async def _summarise(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Tell who asked what was said from a message on."""

        async def work(show: Show) -> str:
            allowed = self._means.theseus.may("chat", await self._means.who(interaction.user))
            if not allowed.allowed:
                return allowed.why
            read = await self._read(interaction, message)
            if isinstance(read, str):
                return read
            file, cut = read
            answer = await self._slash.asked(interaction, {"prompt": SUMMARY}, [file], show, alone=True)
            return f"{cut}\n{answer}".strip()

        await self._slash.answer(interaction, SUMMARISE, work, alone=True)

    async def _read(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> tuple[Sent, str] | str:
        """What was said from a message on, with a sentence where that is not all of it; or why it cannot be read."""
        if interaction.guild_id is not None:
            if not interaction.permissions.read_message_history:
                return "You may not read what was said here before, so neither can I for you."
            if not interaction.app_permissions.read_message_history:
                return CLOSED
        place = self._slash.client.get_partial_messageable(message.channel.id, guild_id=interaction.guild_id)
        try:
            later = [one async for one in place.history(limit=MOST_READ, after=message, oldest_first=True)]
        except discord.Forbidden:
            return CLOSED
        several = [message, *later]
        whole: list[str] = []
        for one in several:
            text = told(one)
            if sum(map(len, whole)) + len(text) > MOST_CHARS:
                break
            whole.append(text)
        short = len(whole) < len(several) or len(several) > MOST_READ
        cut = (
            f"-# Of the first {len(whole)} messages from there on; begin further down for the rest."
            if short
            else ""
        )
        return said("conversation.txt", "\n\n".join(whole)), cut

    async def _improve(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Open a form with a message as the beginning of a goal."""
        if not await self._may(interaction, "propose"):
            return

        async def asked(filled: discord.Interaction, given: Mapping[str, str]) -> None:
            await self._slash.line(filled, "improve", f"/improve {given['goal']}")

        form = Form(IMPROVE, asked)
        form.words("goal", "What should be better?", LONGEST_GOAL, quoted(message))
        await interaction.response.send_modal(form)

    async def _may(self, interaction: discord.Interaction, capability: Capability) -> bool:
        """Whether somebody may do something; where not, they are told."""
        decision = self._means.theseus.may(capability, await self._means.who(interaction.user))
        if not decision.allowed:
            await tell_alone(interaction, decision.why)
        return decision.allowed


class Form(discord.ui.Modal):
    """A form that says once what was put into it. It is forgotten when it was sent, or after a while."""

    def __init__(self, title: str, filled: Filled) -> None:
        super().__init__(title=title, timeout=OPEN_SECONDS)
        self._filled = filled
        self._fields: dict[str, discord.ui.TextInput[Form] | discord.ui.Select[Form]] = {}

    def words(self, name: str, label: str, longest: int, begun: str | None = None) -> None:
        """Add a field for words, of which some may stand there already."""
        self._add(
            name,
            label,
            discord.ui.TextInput(
                custom_id=name, style=discord.TextStyle.paragraph, max_length=longest, default=begun
            ),
        )

    def choice(self, name: str, label: str, choices: Mapping[str, str]) -> None:
        """Add a field for one of several things; the first stands there already."""
        options = [
            discord.SelectOption(label=shown, value=value, default=at == 0)
            for at, (value, shown) in enumerate(choices.items())
        ]
        self._add(name, label, discord.ui.Select(custom_id=name, options=options))

    def _add(
        self, name: str, label: str, field: "discord.ui.TextInput[Form] | discord.ui.Select[Form]"
    ) -> None:
        self._fields[name] = field
        self.add_item(discord.ui.Label(text=label, component=field))

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        """Hand on what was put in."""
        self.stop()
        given = {
            name: field.value if isinstance(field, discord.ui.TextInput) else "".join(field.values[:1])
            for name, field in self._fields.items()
        }
        try:
            await self._filled(interaction, given)
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever sent the form is told
            log.error("a form failed: %s", whereabouts(error))  # noqa: TRY400 - without what was said
            await tell_alone(interaction, FAILED)


def told(message: discord.Message) -> str:
    """A message as material: who wrote it and when, then what it says."""
    when = message.created_at.strftime("%Y-%m-%d %H:%M UTC")
    files = [f"(attached: {one.filename})" for one in message.attachments]
    said_so = "\n".join(filter(None, [message.clean_content, *beside(message), *files])) or "(no words)"
    return f"{_line(message.author.display_name)}, {when}:\n{said_so}"


def quoted(message: discord.Message) -> str:
    """A message as the beginning of a goal, so that everybody sees whose words they are."""
    quote = "\n".join(f"> {line}" for line in message.clean_content.splitlines()) or "> (no words)"
    return f"From a message of {_line(message.author.display_name)}:\n{quote[:LONGEST_QUOTE]}\n"


def _line(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())
