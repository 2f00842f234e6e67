"""What was said while nobody listened, and what the last process left unfinished: read from Discord, before all that is new.

Both are done place by place, and what is said in a place meanwhile waits until it is through.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import discord

from bot.discord.incoming.inbox import MOST_TRIES, SUSPECT_TRIES, Heard, Inbox, Item, Kind, Row
from bot.discord.incoming.places import Places, Question, item_of, say
from bot.discord.patience import UNREACHABLE, passes, patiently
from bot.discord.permits import missing

MISSED_SECONDS = 3600.0
"""What was said longer ago is not answered any more."""
MOST_MISSED = 500
"""Messages that are read in one place, the newest ones."""
MOST_ELSEWHERE = 20
"""Places that are read though nobody had spoken there for long."""
AT_ONCE = 4
"""Places that are read at once."""
AGAIN_SECONDS = 60.0
"""Before a place is tried again that could not be read, where nothing else is said."""
_NEAR = 50
"""Messages after a question among which an answer to it is looked for."""

TOO_OLD = "it was said more than an hour before it could be read"
GONE = "it was deleted before it was answered"
UNREAD = "it cannot be read any more"
ENDED = "the process ended each time it was being answered"
INTERRUPTED = "the process ended while it was being carried out"
SAID_ENDED = "Sorry, I ended each time I was working on this, so I leave it; ask in another way."
SAID_INTERRUPTED = (
    "Sorry, I was restarted while I was working on this, and do not carry it out twice; look with /status or "
    "/proposals how things stand, and use it again if it is still needed."
)
_SPOKEN_IN = (discord.TextChannel, discord.Thread, discord.VoiceChannel, discord.StageChannel)
"""Places on servers in which people say something."""

log = logging.getLogger("theseus.discord")

Meant = Callable[[discord.Message], Kind | None]
"""What a message is; None where it is not meant for us."""


@dataclass(slots=True)
class _Reading:
    """A place that is being read."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    left: list[Row] = field(default_factory=list)
    """What the last process left there."""
    heard: Heard | None = None
    """Since when its history is read; None where nothing was missed."""


class CatchUp:
    """Reads what was missed."""

    def __init__(self, client: discord.Client, inbox: Inbox, places: Places, meant: Meant) -> None:
        self._client, self._inbox, self._places, self._meant = client, inbox, places, meant
        self.again_seconds = AGAIN_SECONDS
        """After so long a place is tried again that could not be read."""
        self._readings: dict[int, _Reading] = {}
        self._waiting: dict[int, list[discord.Message]] = {}
        """What was said in a place while that is being read, in the order in which it was heard."""
        self._left: list[Row] = inbox.left()
        self._since: int | None = None
        """The newest message that had been seen when a session was lost."""
        self._spoken: set[int] = set()
        """Where anything had been seen by then."""
        self._few = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.Task[None]] = set()
        self._members: dict[tuple[int, int], discord.Member] = {}
        self._channels: dict[int, discord.abc.MessageableChannel] = {}

    @property
    def under_way(self) -> bool:
        """Whether some place is being read."""
        return bool(self._readings)

    def hear(self, message: discord.Message) -> None:
        """Take a message if it is meant for us: at once, or when what was said before it in its place is read."""
        if message.channel.id in self._readings:
            self._waiting.setdefault(message.channel.id, []).append(message)
        else:
            self._take(message)

    def _take(self, message: discord.Message) -> None:
        kind = self._meant(message)
        if kind is not None:
            self._places.take(message, control=kind is Kind.CONTROL)
        self._inbox.heard(message.channel.id, message.guild.id if message.guild else None, message.id)

    def begin_elsewhere(self, guilds: Sequence[discord.Guild]) -> None:
        """Read also where nobody had spoken for long, and somebody did while a session was lost; call it when all is known."""
        since, self._since = self._since, None
        if since is None:
            return
        found: list[discord.TextChannel | discord.Thread | discord.VoiceChannel | discord.StageChannel] = []
        for guild in guilds:
            found += [*guild.text_channels, *guild.threads, *guild.voice_channels, *guild.stage_channels]
        places = [
            place
            for place in found
            if (place.last_message_id or 0) > since
            and place.id not in self._spoken
            and not missing(place, "read_message_history")
        ]
        places.sort(key=lambda place: place.last_message_id or 0, reverse=True)
        missed = [Heard(one.id, one.guild.id, since) for one in places[:MOST_ELSEWHERE]]
        self._inbox.missed(missed)
        self._start({one.channel: _Reading(heard=one) for one in missed})

    def begin(self, *, missed: bool) -> None:
        """Begin to read; the first time, also what the last process left.

        Args:
            missed: Whether things may have been said since that nobody told us, as after a session that was lost.
        """
        self._members.clear()
        self._channels.clear()
        readings: dict[int, _Reading] = {}
        if missed:
            self._inbox.miss()
        places = self._inbox.missed()
        for heard in places:
            readings.setdefault(heard.channel, _Reading()).heard = heard
        self._spoken = {heard.channel for heard in places}
        self._since = max((heard.message for heard in places), default=None) if missed else None
        left, self._left = self._left, []
        for row in left:
            readings.setdefault(row.item.channel, _Reading()).left.append(row)
        self._start(readings)

    def _start(self, readings: Mapping[int, _Reading]) -> None:
        for channel, reading in readings.items():
            before = self._readings.get(channel)
            self._readings[channel] = reading
            task = asyncio.create_task(self._read(channel, reading, before))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _again(self, heard: Heard) -> None:
        """Read a place later that cannot be read now; what was missed there stays noted until then."""
        await asyncio.sleep(self.again_seconds)
        self._start({heard.channel: _Reading(heard=heard)})

    async def idle(self) -> None:
        """Wait until nothing is being read."""
        while self._tasks:
            await asyncio.wait([*self._tasks])

    async def close(self) -> None:
        """Stop; what was not read is left to the next process."""
        tasks = [*self._tasks, *self._later]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, channel: int, reading: _Reading, before: _Reading | None) -> None:
        if before is not None:
            await before.over.wait()
        try:
            async with self._few:
                for row in reading.left:
                    await self._settle(row)
                if reading.heard is not None:
                    await self._history(reading.heard)
        except asyncio.CancelledError:
            raise  # who waits for it waits for ever: in another order nothing must be taken
        except Exception:
            log.exception("what was said meanwhile in %s could not be read", channel)
        if self._readings.get(channel) is reading:
            # At one go: whatever is heard from now on comes after all that waited.
            del self._readings[channel]
            for message in self._waiting.pop(channel, ()):
                try:
                    self._take(message)
                except Exception:
                    log.exception("a message could not be taken")
        reading.over.set()

    # What was said while nobody listened

    async def _history(self, heard: Heard) -> None:
        place = self._client.get_partial_messageable(heard.channel, guild_id=heard.guild)

        async def read() -> list[discord.Message]:
            found = []
            async for message in place.history(limit=MOST_MISSED):
                if message.id <= heard.message:
                    break
                found.append(message)
            return found

        try:
            missed = await patiently(read)
        except UNREACHABLE as error:
            log.warning("what was said meanwhile in %s could not be read: %s", heard.channel, error)
            if passes(error):
                later = asyncio.create_task(self._again(heard))
                self._later.add(later)
                later.add_done_callback(self._later.discard)
            else:
                self._inbox.caught_up(heard.channel)
            return
        if len(missed) == MOST_MISSED:
            log.warning(
                "more than %d messages were missed in %s; the newest are read", MOST_MISSED, heard.channel
            )
        for message in reversed(missed):
            kind = self._meant(message)
            if kind is not None:
                item = item_of(message, kind)
                if not _too_old(message.created_at):
                    await self._know(message)
                    self._places.take(message, control=kind is Kind.CONTROL)
                elif self._inbox.accept(item):
                    self._inbox.lost(item.id, TOO_OLD)
            self._inbox.read(heard.channel, message.id)
        self._inbox.caught_up(heard.channel)

    # What the last process left

    async def _settle(self, row: Row) -> None:
        """Restore it; where that fails it is lost, and what was left after it is not."""
        try:
            await self._restore(row)
        except Exception as error:
            log.exception("what the last process left could not be gone on with")
            self._inbox.lost(row.item.id, f"it failed: {type(error).__name__}")

    async def _restore(self, row: Row) -> None:
        """Go on with what was left unfinished, or say that it is not done."""
        item = row.item
        if item.kind is Kind.INTERACTION:
            await self._tell_user(item)
            return
        place = self._client.get_partial_messageable(item.channel, guild_id=item.guild)
        if _too_old(discord.utils.snowflake_time(item.id)):
            self._inbox.lost(item.id, TOO_OLD)
            return
        try:
            message = await patiently(lambda: place.fetch_message(item.id))
            answers = row.answers or await self._answers_to(message)
        except UNREACHABLE as error:
            gone = isinstance(error, discord.NotFound)
            self._inbox.lost(item.id, GONE if gone else UNREAD)
            return
        if item.kind is Kind.CONTROL:
            await self._tell_author(message, answers, SAID_INTERRUPTED, INTERRUPTED)
        elif row.tries >= MOST_TRIES:
            await self._tell_author(message, answers, SAID_ENDED, ENDED)
        else:
            await self._know(message)
            self._places.work_on(message, item, answers, suspect=row.tries >= SUSPECT_TRIES)

    async def _answers_to(self, message: discord.Message) -> dict[int, int]:
        """The first piece of an answer to a message, where an earlier process had sent it and could not write that down."""
        place = self._client.get_partial_messageable(
            message.channel.id, guild_id=message.guild.id if message.guild else None
        )

        async def read() -> Iterable[discord.Message]:
            return [one async for one in place.history(limit=_NEAR, after=message)]

        for one in await patiently(read):
            ours = self._client.user is not None and one.author.id == self._client.user.id
            if ours and one.reference is not None and one.reference.message_id == message.id:
                return {0: one.id}
        return {}

    async def _tell_author(
        self, message: discord.Message, answers: dict[int, int], text: str, why: str
    ) -> None:
        place = self._client.get_partial_messageable(
            message.channel.id, guild_id=message.guild.id if message.guild else None
        )
        question = Question(message, place, self._inbox, answers)
        question.let_speak()
        await say(question, text)
        self._inbox.lost(message.id, why)

    async def _tell_user(self, item: Item) -> None:
        """Tell who used a command that it was interrupted: where it was used while that can be done, else in the channel."""
        application = self._client.application_id or 0
        place = self._client.get_partial_messageable(item.channel, guild_id=item.guild)
        try:
            hook = discord.Webhook.partial(application, item.token, client=self._client)
            none = discord.AllowedMentions.none()
            await hook.send(SAID_INTERRUPTED, allowed_mentions=none, wait=True)
        except UNREACHABLE:
            try:
                await patiently(
                    lambda: place.send(f"<@{item.author}> {SAID_INTERRUPTED}", nonce=str(item.id))
                )
            except UNREACHABLE as error:
                log.warning("that could not be said: %s", error)
        self._inbox.lost(item.id, INTERRUPTED)

    async def _know(self, message: discord.Message) -> None:
        """Put to a message that was read where it stands, and the author's roles of this moment.

        Of both Discord then tells no more than an id or a name; a thread would not be known as one.
        """
        guild, author = message.guild, message.author
        if guild is None:
            return
        if (channel := await self._channel(guild, message.channel.id)) is not None:
            message.channel = channel
        if isinstance(author, discord.Member):
            return
        key = (guild.id, author.id)
        try:
            if key not in self._members:
                self._members[key] = await patiently(lambda: guild.fetch_member(author.id))
        except UNREACHABLE as error:
            log.warning("the roles of an author could not be read: %s", error)
            return
        message.author = self._members[key]

    async def _channel(self, guild: discord.Guild, number: int) -> "discord.abc.MessageableChannel | None":
        """A place on a server, which may not be told of yet when a session begins; None where it cannot be seen."""
        found = guild.get_channel_or_thread(number) or self._channels.get(number)
        if not isinstance(found, _SPOKEN_IN):
            try:
                asked = await patiently(lambda: self._client.fetch_channel(number))
            except (*UNREACHABLE, discord.InvalidData) as error:
                log.warning("the place of a message could not be read: %s", error)
                return None
            if not isinstance(asked, _SPOKEN_IN):
                return None
            found = self._channels[number] = asked
        return found


def _too_old(when: datetime) -> bool:
    return when < discord.utils.utcnow() - timedelta(seconds=MISSED_SECONDS)
