"""Discord: answers mentions and direct messages, and takes control commands from maintainers alone."""

import asyncio
import logging
import sqlite3
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord

from agent.incoming.wish import PLAIN
from bot.attaching import Files
from bot.control.commands import CHAT, SETUP, parse, split
from bot.discord.commands.menus import Menus
from bot.discord.commands.moderate import moderate
from bot.discord.commands.slash import Means, Slash, tell_alone
from bot.discord.conversation.answering import PACE, Answer, Pace
from bot.discord.conversation.files import sent
from bot.discord.conversation.followed import Followed
from bot.discord.conversation.reading import Reader, conversation_of, said_to, without_us
from bot.discord.counting import counted
from bot.discord.incoming.catchup import CatchUp
from bot.discord.incoming.inbox import Inbox, Item, Kind
from bot.discord.incoming.places import Places, Question
from bot.discord.moderation.deeds import read as read_deed
from bot.discord.moderation.moderation import Moderation
from bot.discord.permits import INTENTS, missing, say_missing, to_answer
from bot.discord.person import Owners
from bot.discord.review.review import Review
from bot.discord.session import Handover
from bot.discord.setup.arrival import Arrivals, introduction, owner_of
from bot.discord.setup.setup import Part, Setup
from bot.discord.shelf import open_shelf
from bot.messages import Messages
from bot.surface import Theseus, unseen
from policies.load import AttachmentRules, load_rules

REGISTER_SECONDS = 15.0
"""How often it is looked whether commands have changed. Discord hears of it only when they have, and are kept."""

SAID = frozenset({discord.MessageType.default, discord.MessageType.reply})
"""What people say; the rest tells that somebody joined, called, pinned or renamed something."""
UNKNOWN = {
    discord.InteractionType.modal_submit: "I was restarted while that form was open, so nothing was done; open it again.",
    discord.InteractionType.component: "I do not know that any more, so nothing was done; use the command anew.",
}
FORWARDED = "I cannot read what is forwarded; copy the words into a message to me."

log = logging.getLogger("theseus.discord")


class Client(discord.Client):
    """One session at Discord."""

    def __init__(
        self,
        theseus: Theseus,
        *,
        home: Path | None = None,
        files: AttachmentRules | None = None,
        register_seconds: float = REGISTER_SECONDS,
        pace: Pace = PACE,
        calm_seconds: float | None = None,
        test_server: int | None = None,
        tell: Callable[[str], object] = unseen,
        **options: Any,
    ) -> None:
        """Put it together, not yet connected.

        Args:
            theseus: What answers.
            home: Where is kept what outlives the process; None: nowhere.
            files: What may come along with a message; None: as `policies/rules.toml` says.
            register_seconds: How often it is looked whether commands have changed.
            pace: How often an answer is shown while it grows.
            calm_seconds: So long nothing is tried that may have ended the last process; None: as `policies/rules.toml` says.
            test_server: The id of the server that is shown commands before they are kept.
            tell: Is told, once it is connected, what the operator should know.
            options: What else the library takes.
        """
        none = discord.AllowedMentions.none()
        self._leaving = False
        self._handover: Handover | None = None
        options.setdefault("http_trace", counted(theseus.met.count))
        super().__init__(intents=INTENTS, allowed_mentions=none, enable_debug_events=True, **options)
        self._theseus = theseus
        self.owners = Owners(self.application_info)
        """Whose application this is."""
        self._messages = Messages(theseus)
        rules = load_rules()
        self._files = Files(files or rules.attachments)
        calm_seconds = rules.restart.steady_seconds if calm_seconds is None else calm_seconds
        self.shelf = (
            open_shelf(home) if home is not None else sqlite3.connect(":memory:", isolation_level=None)
        )
        """What outlives the process."""
        self.inbox = Inbox(self.shelf)
        """What was accepted, and what became of it."""
        self.followed = Followed(self.shelf, self.inbox, theseus.recall, self._kind)
        """What becomes of questions after they were asked."""
        self._reader = Reader(self, theseus.recall, self.followed.question_of)
        self.places = Places(self.inbox, self._answer_message, self._where, calm_seconds)
        self.catch_up = CatchUp(self, self.inbox, self.places, self._kind)
        self._handover = Handover(self, self.shelf, lambda: not self.catch_up.under_way)
        self._arrivals, self._tell, self._introduced = Arrivals(self.shelf), tell, False
        self.setup = Setup(theseus, self.shelf, self.inbox, self.owners)
        """The panel of `/setup`."""
        self.add_dynamic_items(Part)
        opens = {SETUP: self.setup.open}
        self.review = Review(self, theseus, self.shelf, self.inbox, self.owners.person)
        """The cards of proposals, and what is done by them."""
        means = Means(
            theseus, self._messages, self._files, self.inbox, self.owners.person, opens, self.review.control
        )
        self.tree = Slash(self, means, test_server)
        self.moderation = Moderation(self, self.inbox, theseus.discreet)
        """Has members kicked, banned and muted."""
        menus = Menus(self.tree, means)
        self.tree.beside = lambda: [*menus.entries(), moderate(self.moderation.used)]
        self._register_seconds, self._pace = register_seconds, pace
        self._background: list[asyncio.Task[None]] = []

    async def setup_hook(self) -> None:
        """Learn whose application this is; register the commands that work now, and then whenever they have changed."""
        self.owners.were(self.application)
        self.review.listen()
        self.followed.listen(self, self.places, self._reader.text, self.review.board.let_go)
        await self.tree.register()
        self._background.append(asyncio.create_task(self._register()))
        if self._handover is not None:
            self._background.append(asyncio.create_task(self._handover.watch()))

    async def connect(self, *, reconnect: bool = True) -> None:
        """Go on with the session of the last process where there is one, else begin one."""
        if self._handover is not None:
            await self._handover.go_on(lambda: self._begun(missed=False))
        if not self.is_closed():
            await super().connect(reconnect=reconnect)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell of an event; those as they come over the wire go to the journal of the session alone."""
        if self.is_closed():
            return  # the library goes on for a while; what it still hears is for the next process
        if event == "socket_raw_receive" and self._handover is not None:
            self._handover.hear(args[0])
        elif self._handover is None or not self._handover.feeding:
            super().dispatch(event, *args, **kwargs)

    def is_closed(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._leaving or super().is_closed()

    async def _register(self) -> None:
        while True:
            await asyncio.sleep(self._register_seconds)
            await self.tree.register()

    async def on_ready(self) -> None:
        """Everything is known: tell the operator, once, how things stand and what is next."""
        self.catch_up.begin_elsewhere(self.guilds)
        if self.application is not None and self.user is not None and not self._introduced:
            self._introduced = True
            without, done = self._theseus.missing, self._theseus.somebody_approves
            self._tell(introduction(self.application, self.user.name, self.guilds, without, set_up=done))
        self._arrivals.know(self.guilds)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Somebody brought the bot to a server."""
        if self.application is not None:
            await self._arrivals.greet(guild, owner_of(self.application), chats=self._theseus.missing is None)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was sent away from a server: nothing is sent there any more."""
        self.setup.news.choose(guild.id, None)
        self.followed.left(f"discord:{guild.id}")
        self.review.board.left(guild.id)

    async def close(self) -> None:
        """End the session; what is not answered is left to the next process."""
        for task in self._background:
            task.cancel()
        # Every step is taken, whatever becomes of those before it.
        async with AsyncExitStack() as ending:
            ending.callback(self.shelf.close)
            ending.push_async_callback(super().close)
            if self._handover is not None:
                ending.push_async_callback(self._handover.leave)
            for part in (self.review, self.places, self.catch_up):
                ending.push_async_callback(part.close)
            ending.callback(self.inbox.end)
            if self._handover is not None and not self._leaving:
                await self._handover.save()
            self._leaving = True

    async def idle(self) -> None:
        """Wait until all that was accepted is answered or lost."""
        await self.catch_up.idle()
        await self.places.idle()

    async def on_message(self, message: discord.Message) -> None:
        """Take what is meant for us, once, and not before what was said earlier and missed."""
        self.catch_up.hear(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Whoever used what nobody knows is told so: a form that was open when the process ended, a button of an older version."""
        if (old := UNKNOWN.get(interaction.type)) is None:
            return
        # What is known has entered the inbox by now, before it waited for anything.
        with self.inbox.use(interaction) as fresh:
            if fresh:
                await tell_alone(interaction, old)

    async def on_connect(self) -> None:
        """A session has begun: read what was said where people spoke last, and go on with what was left unfinished."""
        self._begun(missed=True)

    def _begun(self, *, missed: bool) -> None:
        self.catch_up.begin(missed=missed)
        self.review.catch_up()

    def _kind(self, message: discord.Message) -> Kind | None:
        """What a message is to us; None where it is not meant for us."""
        by_people = not message.author.bot and message.webhook_id is None and message.type in SAID
        if not by_people or self.user is None:
            return None
        to_us = said_to(message, self.user.id) or self._answers_us(message) or self.review.asked_in(message)
        command = split(message.content)
        if not to_us and (
            command is None or command[0] not in {info.name for info in self._theseus.commands}
        ):
            return None
        text = self._text(message)
        # Neither is carried out a second time, whatever becomes of the message or the process.
        chat = parse(text, "", files=False) is None and read_deed(text) is None
        return Kind.CHAT if chat else Kind.CONTROL

    def _text(self, message: discord.Message) -> str:
        """What a message says to us."""
        return without_us(message, self.user.id if self.user is not None else 0)

    def _where(self, item: Item) -> discord.PartialMessageable:
        return self.get_partial_messageable(item.channel, guild_id=item.guild)

    async def _answer_message(self, question: Question) -> None:
        message = question.message
        if lacking := to_answer(message.channel):
            await say_missing(message, lacking)
            question.lose(f"the bot lacks {', '.join(permit.label for permit in lacking)}")
            return
        try:
            await self.followed.work(question, self._answer_there)
        except discord.Forbidden:
            if lacking := missing(message.channel):
                await say_missing(message, lacking)
            raise

    async def _answer_there(self, question: Question) -> None:
        message = question.message
        text, place = self._text(message), conversation_of(message)
        person = await self.owners.person(message.author)
        if await self.review.typed(question, text, person) or await self.moderation.typed(question, text):
            return
        typing, clean = message.channel.typing, self._theseus.discreet
        async with Answer(question, clean=clean, typing=typing, pace=self._pace) as answer:
            if message.message_snapshots and not text:
                await answer.finish(FORWARDED)
                return
            # Files are for a model: what is a command is carried out without them.
            if (split(text) or (CHAT,))[0] != CHAT:
                await answer.finish(await self._messages.reply(text, person, place, PLAIN, answer.show))
                return
            read = await self._reader.read(message)
            # Nothing is fetched for a question that would not be asked.
            reply: str | None = self._theseus.recall.refuses(person.id, place) if read.files else None
            known = () if reply else await self.review.known(message.channel.id, person)
            taken, unread = ((), ()) if reply else await self._files.look_at(sent(read.files))
            if isinstance(known, str):
                reply = known
            elif not reply:
                wish = replace(read.wish, attachments=(*known, *taken))
                reply = await self._messages.reply(read.text, person, place, wish, answer.show)
            await answer.finish("\n".join([*unread, reply]))

    def _answers_us(self, message: discord.Message) -> bool:
        """Whether somebody replied to something that we said, also where the reply wakes nobody."""
        answered = message.reference and message.reference.resolved
        return isinstance(answered, discord.Message) and answered.author == self.user

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Write down what went wrong in an event; the session goes on."""
        del args, kwargs
        log.error("an event failed: %s", event_method, exc_info=sys.exc_info())


class Sharded(Client, discord.AutoShardedClient):
    """The same with as many sessions as Discord wants a bot on many servers to have."""
