"""What a message says to us: its words with names in place of mentions, what it replies to, and the files that count.

Replies branch like a tree. Whoever replies means what stands above that reply, up to its root, and not what was said last
in the place. The newest answer of ours on that way up is looked up in what chat remembers, which knows the rest; what it
does not know is read from Discord, a few messages at most. In a thread, all begins with the message that it hangs below.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import discord

from agent.incoming.wish import Heard, Wish
from bot.discord.patience import UNREACHABLE
from bot.surface import Recall

MOST_ABOVE = 12
"""Messages of a chain of replies that are read from Discord."""
KEPT_OPENINGS = 200
"""Threads of which it is known what they hang below."""
_NAMED = re.compile(r"<(@[!&]?|#)(\d{1,20})>|<a?(:\w{1,40}:)\d{1,20}>", re.ASCII)

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Read:
    """A message as it is understood.

    Attributes:
        text: What is asked, without our own name.
        wish: What was said before it, for chat.
        files: What comes along, that of the message it replies to included; not fetched yet.
    """

    text: str
    wish: Wish
    files: Sequence[discord.Attachment]


class Reader:
    """Reads the messages of one session."""

    def __init__(
        self, client: discord.Client, recall: Recall, question_of: Callable[[int], int | None]
    ) -> None:
        """Begin.

        Args:
            client: The session.
            recall: What chat remembers.
            question_of: The message of the question that a message of ours answers; None where it answers none.
        """
        self._client, self._recall, self._question_of = client, recall, question_of
        self._openings: OrderedDict[int, Heard | None] = OrderedDict()

    async def read(self, message: discord.Message) -> Read:
        """Read a message that is meant for us."""
        above, files = await self._above(message)
        opening = await self._opening(message.channel)
        before = (*([opening] if opening is not None else []), *above)
        wish = Wish(source=str(message.id), before=before, chain=bool(above))
        return Read(self.text(message), wish, [*message.attachments, *files])

    def text(self, message: discord.Message) -> str:
        """The words of a message, with names where people, roles and channels are meant, and without ours."""
        people = {person.id: person.display_name for person in message.mentions}
        us = self._client.user.id if self._client.user is not None else 0
        role = _role_of_us(message)

        def spoken(found: re.Match[str]) -> str:
            kind, number, emoji = found.groups()
            if emoji:
                return str(emoji)
            thing = int(number)
            if kind.startswith("@") and thing in (us, role):
                return ""
            name: str | None = None
            if kind in ("@", "@!"):
                name = people.get(thing)
            elif message.guild is not None:
                known = (
                    message.guild.get_role(thing)
                    if kind == "@&"
                    else message.guild.get_channel_or_thread(thing)
                )
                name = known.name if known is not None else None
            return found[0] if name is None else f"{kind[0]}{' '.join(name.split())}"

        return _NAMED.sub(spoken, message.content).strip()

    async def _above(self, message: discord.Message) -> tuple[list[Heard], Sequence[discord.Attachment]]:
        """The chain of replies above a message from its root on, and the files of what it replies to."""
        chain: list[Heard] = []
        files: Sequence[discord.Attachment] = ()
        place, here = conversation_of(message), message
        for _ in range(MOST_ABOVE):
            reference = here.reference
            if (
                reference is None
                or reference.message_id is None
                or here.type is not discord.MessageType.reply
            ):
                break
            asked = str(self._question_of(reference.message_id) or reference.message_id)
            if self._recall.knows(place, asked):
                chain.append(Heard("", "", asked, place))
                break
            above = await self._find(reference, here)
            if above is None:
                break
            chain.append(Heard(self._whole(above), above.author.display_name, asked, place))
            files = files or (above.attachments if here is message else ())
            here = above
        return chain[::-1], files

    async def _find(
        self, reference: discord.MessageReference, below: discord.Message
    ) -> discord.Message | None:
        """A message that is replied to; None where it is gone, or cannot be read."""
        if isinstance(reference.resolved, discord.Message):
            return reference.resolved
        if isinstance(reference.resolved, discord.DeletedReferencedMessage) or reference.message_id is None:
            return None
        if reference.cached_message is not None:
            return reference.cached_message
        try:
            return await below.channel.fetch_message(reference.message_id)
        except UNREACHABLE as error:
            log.warning("a message that was replied to could not be read: %s", type(error).__name__)
            return None

    async def _opening(self, place: object) -> Heard | None:
        """The message that a thread hangs below, which has its id; None where it hangs below none."""
        if not isinstance(place, discord.Thread):
            return None
        if place.id not in self._openings:
            self._openings[place.id] = await self._hung_below(place)
            while len(self._openings) > KEPT_OPENINGS:
                self._openings.popitem(last=False)
        return self._openings[place.id]

    async def _hung_below(self, thread: discord.Thread) -> Heard | None:
        parent = f"discord:{thread.guild.id}/{thread.parent_id}"
        asked = str(self._question_of(thread.id) or thread.id)
        message = thread.starter_message
        if message is None:
            above = self._client.get_partial_messageable(thread.parent_id, guild_id=thread.guild.id)
            try:
                message = await above.fetch_message(thread.id)
            except UNREACHABLE:  # it hangs below none, or that is gone
                return None
        return Heard(self._whole(message), message.author.display_name, asked, parent)

    def _whole(self, message: discord.Message) -> str:
        """All that a message says to people who look at it."""
        return "\n".join(filter(None, [self.text(message), *beside(message)]))


def beside(message: discord.Message) -> list[str]:
    """What a message says beside its own words: what was forwarded in it, its cards, its poll, its stickers."""
    said = [f"(forwarded) {one.content}" for one in message.message_snapshots if one.content]
    cards = [*message.embeds, *(card for one in message.message_snapshots for card in one.embeds)]
    said += [part for one in cards for part in (one.title, one.description) if part]
    if (poll := message.poll) is not None:
        said.append(f"(poll) {poll.question}: {' / '.join(one.text for one in poll.answers)}")
    return [*said, *(f"(sticker: {one.name})" for one in message.stickers)]


def said_to(message: discord.Message, us: int) -> bool:
    """Whether a message is said to a bot: between two, or by its name, or by that of the role that it has on a server.

    Discord makes that role when the bot comes, calls it the same, and offers both to whoever types the name.
    """
    # Of a server that nobody told us of no more is known than its id, and what is said there is not between two.
    direct = message.guild is None and getattr(message.channel, "guild_id", None) is None
    role = _role_of_us(message)
    named = role is not None and f"<@&{role}>" in message.content
    return direct or named or any(person.id == us for person in message.mentions)


def without_us(message: discord.Message, us: int) -> str:
    """The words of a message without a bot's name."""
    text = message.content.replace(f"<@{us}>", "").replace(f"<@!{us}>", "")
    role = _role_of_us(message)
    return (text if role is None else text.replace(f"<@&{role}>", "")).strip()


def _role_of_us(message: discord.Message) -> int | None:
    """The role that we have on the server of a message by being what we are; None where no role is named there."""
    if message.guild is None or "<@&" not in message.content:
        return None
    role = message.guild.self_role
    return role.id if role is not None else None


def conversation_of(message: discord.Message) -> str:
    """The stable id of the place where a message stands."""
    if message.guild is None:
        return f"discord:{message.channel.id}"
    return f"discord:{message.guild.id}/{message.channel.id}"


def place_of(interaction: discord.Interaction) -> str:
    """The stable id of the place where something was used."""
    here = f"{interaction.channel_id}"
    return f"discord:{here}" if interaction.guild_id is None else f"discord:{interaction.guild_id}/{here}"
