"""What becomes of a question after it was asked: an edit or a delete on Discord follows into what chat remembers.

- A question that is deleted is forgotten, with its answer; one that is being answered is stopped, and what was shown of
  its answer is taken back. So is an exchange whose answer somebody deletes: its first message counts.
- A question that is edited while it is being answered is answered as it reads now. One that is the newest of its author
  in its place, and edited within `AGAIN_SECONDS` of being asked, is answered anew: the answer is edited in place. An older
  one keeps its answer, and is remembered as it reads now.
- With a channel, a thread or a server that is gone, all that was said there is forgotten.

What is deleted while there is no session is not heard of.
"""

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial

import discord

from agent.records.turns import TurnsProblem
from bot.discord.conversation.reading import conversation_of
from bot.discord.incoming.inbox import Inbox, Kind
from bot.discord.incoming.places import Places, Question, item_of
from bot.surface import Recall

AGAIN_SECONDS = 60.0
"""So long after a question was asked, an edit has it answered anew."""
KEPT_SECONDS = 90 * 86_400.0
"""As long as what was said is kept, it is known which message is which."""
MOST_AGAIN = 3
"""So often an edit has a question answered anew; what is edited later is remembered alone."""
UNKNOWN_MESSAGE = 10008
"""Discord's code for a message that is not there."""
KEPT_UNSEEN = 500
"""Of so many messages it is known that they were deleted or edited before the work on them began."""
_TABLES = """
CREATE TABLE IF NOT EXISTS asked (
    question INTEGER PRIMARY KEY, channel INTEGER NOT NULL, author INTEGER NOT NULL, conversation TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS asked_by ON asked (author, channel);
CREATE TABLE IF NOT EXISTS answering (message INTEGER PRIMARY KEY, question INTEGER NOT NULL, piece INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS answers_of ON answering (question);
"""

log = logging.getLogger("theseus.discord")

Kinds = Callable[[discord.Message], Kind | None]
"""What a message is to us."""


class Followed:
    """The questions of chat, under way and answered, and what answers them."""

    def __init__(self, shelf: sqlite3.Connection, inbox: Inbox, recall: Recall, kind: Kinds) -> None:
        """Open it.

        Args:
            shelf: Where ids are kept.
            inbox: Knows which messages answer commands.
            recall: What chat remembers.
            kind: What a message is to us.
        """
        self._shelf, self._inbox, self._recall, self._kind = shelf, inbox, recall, kind
        self._tasks: dict[int, tuple[Question, asyncio.Task[None]]] = {}
        self._stopped: set[int] = set()
        self._gone: OrderedDict[int, None] = OrderedDict()
        self._edited: OrderedDict[int, discord.Message] = OrderedDict()
        self._again_done: OrderedDict[int, int] = OrderedDict()
        self._places: Places
        self._text: Callable[[discord.Message], str]
        self._told_gone: Callable[[int], None]
        shelf.executescript(_TABLES)
        old = discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(seconds=KEPT_SECONDS))
        shelf.execute("DELETE FROM asked WHERE question < ?", (old,))
        shelf.execute("DELETE FROM answering WHERE question < ?", (old,))

    def listen(
        self,
        client: discord.Client,
        places: Places,
        text: Callable[[discord.Message], str],
        gone: Callable[[int], None] = lambda _message: None,
    ) -> None:
        """Hear what becomes of messages and places.

        Args:
            client: The session.
            places: Has questions answered again.
            text: What a message says to us.
            gone: Is told of each message that was deleted.
        """
        self._places, self._text, self._told_gone = places, text, gone
        for hears in (
            self.on_raw_message_delete,
            self.on_raw_bulk_message_delete,
            self.on_raw_message_edit,
            self.on_guild_channel_delete,
            self.on_raw_thread_delete,
        ):
            client.event(hears)

    # Questions

    async def work(self, question: Question, do: Callable[[Question], Awaitable[None]]) -> None:
        """Do the work on a question: from the beginning where it is edited meanwhile, and not at all where it is deleted.

        What is no chat is carried out once, whatever becomes of the message.
        """
        asked = question.message.id
        if self._kind(question.message) is not Kind.CHAT:
            await do(question)
            return
        question.message = self._edited.pop(asked, question.message)
        vanished = False
        while not vanished and not self._is_gone(question):
            message = question.message
            task = asyncio.ensure_future(do(question))
            self._tasks[asked] = question, task
            try:
                await task
            except asyncio.CancelledError:
                if asked not in self._stopped:
                    raise
            except discord.NotFound as error:  # the word that it was deleted may come later
                vanished = error.code == UNKNOWN_MESSAGE
                if not vanished:
                    raise
            else:
                self._note(question)
                if not self._is_gone(question) and question.message is message:
                    if (last := self._edited.pop(asked, None)) is not None:
                        self._amend(conversation_of(last), last)
                    return
            finally:
                self._stopped.discard(asked)
                del self._tasks[asked]
            # The exchange may have been whole already when the last of it was on its way.
            place = conversation_of(question.message)
            self._forget(partial(self._recall.forget_one, place, str(asked)))
        question.lose("its author deleted it" if asked in self._gone else "its answer was deleted")
        await question.withdraw(0)

    def question_of(self, message: int) -> int | None:
        """The question, or the command, that a message of ours answers; None where it answers none."""
        row = self._shelf.execute("SELECT question FROM answering WHERE message = ?", (message,)).fetchone()
        if row is not None:
            return int(row[0])
        used = self._inbox.used_for(message)
        return used.id if used is not None else None

    def _note(self, question: Question) -> None:
        message = question.message
        row = (message.id, message.channel.id, message.author.id, conversation_of(message))
        self._shelf.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?)", row)
        self._shelf.execute("DELETE FROM answering WHERE question = ?", (message.id,))
        self._shelf.executemany(
            "INSERT OR REPLACE INTO answering VALUES (?, ?, ?)",
            [(one, message.id, at) for at, one in question.answers.items()],
        )

    def _is_gone(self, question: Question) -> bool:
        """Whether it was deleted, or any of what answers it so far."""
        return any(one in self._gone for one in (question.message.id, *question.answers.values()))

    def _stop(self, asked: int) -> None:
        """End the work on a question, if there is any."""
        if asked in self._tasks:
            self._stopped.add(asked)
            self._tasks[asked][1].cancel()

    # What is heard

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A message is gone."""
        self._deleted([event.message_id])

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Several messages are gone at once."""
        self._deleted(sorted(event.message_ids))

    def _deleted(self, messages: Iterable[int]) -> None:
        for message in messages:
            self._gone[message] = None
            self._told_gone(message)
            for asked, (question, _) in self._tasks.items():
                if message == asked or message in question.answers.values():
                    self._stop(asked)
            row = self._shelf.execute(
                "SELECT question, conversation FROM asked WHERE question = ?1 OR question ="
                " (SELECT question FROM answering WHERE message = ?1 AND piece = 0)",
                (message,),
            ).fetchone()
            if row is None and (used := self._inbox.used_for(message, first=True)) is not None:
                place = f"{used.channel}" if used.guild is None else f"{used.guild}/{used.channel}"
                row = used.id, f"discord:{place}"
            if row is not None:
                question, conversation = row
                self._forget(partial(self._recall.forget_one, conversation, str(question)))
                self._shelf.execute("DELETE FROM asked WHERE question = ?", (question,))
                self._shelf.execute("DELETE FROM answering WHERE question = ?", (question,))
        while len(self._gone) > KEPT_UNSEEN:
            self._gone.popitem(last=False)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """A message reads differently now, or shows a preview, which changes nothing."""
        message = event.message
        if message.edited_at is None or message.author.bot:
            return
        chat = self._kind(message) is Kind.CHAT
        if message.id in self._tasks:
            question, _ = self._tasks[message.id]
            if chat and question.message.content != message.content:
                if self._counted(message.id):
                    question.message = message
                    self._stop(message.id)
                else:
                    self._remember_edit(message)
            elif chat:
                self._edited.pop(message.id, None)
            return
        before = event.cached_message
        if before is not None and before.content == message.content:
            return
        row = self._shelf.execute(
            "SELECT conversation FROM asked WHERE question = ?", (message.id,)
        ).fetchone()
        if row is None and chat:
            self._remember_edit(message)
        if row is None:
            return
        if chat and self._again(message) and self._counted(message.id):
            self._forget(partial(self._recall.forget_one, row[0], str(message.id)))
            pieces = self._shelf.execute(
                "SELECT piece, message FROM answering WHERE question = ?", (message.id,)
            ).fetchall()
            there = {piece: one for piece, one in pieces if one not in self._gone}
            self._places.work_on(message, item_of(message, Kind.CHAT), there)
        else:
            self._amend(row[0], message)

    def _remember_edit(self, message: discord.Message) -> None:
        self._edited[message.id] = message
        while len(self._edited) > KEPT_UNSEEN:
            self._edited.popitem(last=False)

    def _amend(self, conversation: str, message: discord.Message) -> None:
        """What was answered is remembered as it reads now."""
        self._recall.amend(conversation, str(message.id), self._text(message))

    def _counted(self, asked: int) -> bool:
        """Count that a question is answered anew; False where that was often enough."""
        times = self._again_done.pop(asked, 0)
        self._again_done[asked] = min(times + 1, MOST_AGAIN)
        while len(self._again_done) > KEPT_UNSEEN:
            self._again_done.popitem(last=False)
        return times < MOST_AGAIN

    def _again(self, message: discord.Message) -> bool:
        """Whether an edited question is answered anew."""
        if message.edited_at is None:
            return False
        newest = self._shelf.execute(
            "SELECT MAX(question) FROM asked WHERE author = ? AND channel = ?",
            (message.author.id, message.channel.id),
        ).fetchone()
        under_way = (question.message for question, _ in self._tasks.values())
        if any(one.author == message.author and one.channel == message.channel for one in under_way):
            return False
        soon = (message.edited_at - message.created_at).total_seconds() <= AGAIN_SECONDS
        return soon and newest[0] == message.id

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel is gone, with its threads."""
        self.left(f"discord:{channel.guild.id}/{channel.id}")
        for thread in getattr(channel, "threads", ()):
            self.left(f"discord:{channel.guild.id}/{thread.id}")

    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """A thread is gone."""
        self.left(f"discord:{event.guild_id}/{event.thread_id}")

    def left(self, place: str) -> None:
        """A place is gone, or the bot was sent away from it: what was said there is forgotten."""
        self._forget(partial(self._recall.forget_place, place))
        self._shelf.execute(
            "DELETE FROM answering WHERE question IN (SELECT question FROM asked WHERE conversation = ?1"
            " OR substr(conversation, 1, length(?1) + 1) = ?1 || '/')",
            (place,),
        )
        self._shelf.execute(
            "DELETE FROM asked WHERE conversation = ?1 OR substr(conversation, 1, length(?1) + 1) = ?1 || '/'",
            (place,),
        )

    def _forget(self, forget: Callable[[], int]) -> None:
        try:
            forget()
        except TurnsProblem as problem:
            log.error("what was deleted on Discord is not forgotten: %s", problem)  # noqa: TRY400 - all said
