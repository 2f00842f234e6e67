"""Moderation in chat: somebody asks, a button asks back, and what they press is carried out.

Nothing is done to anybody because of words, whoever said them: not before the person who asked has pressed a button that
stands for that one deed, that member and that person, and runs out. Whether they may is looked at when they ask and again
when they press, with the roles that Discord names at that moment. The button is good once, and for one process: a question
that was open when the process ended is asked anew.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol, Self, runtime_checkable

import discord

from bot.control.commands import Unclear
from bot.discord.incoming.inbox import Inbox
from bot.discord.incoming.places import Question
from bot.discord.moderation.deeds import Deed, Wanted, read, refusal, shown_name
from bot.discord.patience import UNREACHABLE, patiently, promptly
from bot.discord.text import one_line

OPEN_SECONDS = 120.0
"""So long a question can be answered by its button."""
LOOK_SECONDS = 10.0
"""So long each of the members concerned is asked for; a deed that comes minutes after its press surprises."""
MOST_OPEN = 1000
"""Questions that are open at once; the oldest ones run out earlier."""
LONGEST_AUDIT = 512
"""Characters of a reason in Discord's audit log."""
NO_MEMBER, NO_USER, NO_SECOND_FACTOR = 10007, 10013, 60003
"""Discord's codes for somebody who is not on the server, for nobody at all, and for a server that wants two factors."""

ON_SERVERS = "Members are kicked, banned and muted on a server; ask there."
NOT_HERE = "Nobody of that name or id is a member of this server."
NOT_NOW = "Discord does not say just now who may do what on this server; try again in a minute."
NOT_YOURS = "That is for who asked; ask yourself, if you may."
RUN_OUT = "That question has run out, and nothing was done; ask again."
ANSWERED = "That was pressed already; what came of it stands there in a moment."
HELD_BACK = (
    "Discord did not let me: what I may do has changed meanwhile, or it guards that member. Nothing was done."
)
SECOND_FACTOR = (
    "This server wants two-factor authentication of whoever moderates; the owner of my application has to switch it on. "
    "Nothing was done."
)
GONE_ALREADY = "They are no member of this server any more; nothing was done."
UNKNOWN = "Discord did not say whether it was done; its audit log shows it."

log = logging.getLogger("theseus.discord")


class Desk(Protocol):
    """What is asked when such a button is pressed."""

    async def pressed(self, used: discord.Interaction, asked: int, *, sure: bool) -> None:
        """Somebody pressed a button."""


@runtime_checkable
class Moderated(Protocol):
    """A client that has such a desk."""

    moderation: Desk


class Press(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"mod/(?P<asked>\d{1,20})/(?P<sure>yes|no)"
):
    """Yes or no to one question."""

    def __init__(self, item: discord.ui.Button[Any], asked: int, *, sure: bool) -> None:
        super().__init__(item)
        self._asked, self._sure = asked, sure

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button of a message, as it was pressed."""
        if not isinstance(item, discord.ui.Button):
            raise TypeError("the id of a button stands in something else")
        return cls(item, int(match["asked"]), sure=match["sure"] == "yes")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on that it was pressed."""
        if isinstance(interaction.client, Moderated):
            await interaction.client.moderation.pressed(interaction, self._asked, sure=self._sure)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that waits for its button: who asked on which server for what, and until when, in seconds since 1970.

    Answered, it is known a while longer: a press that comes a moment later must not take the place of what was done.
    """

    guild: int
    asker: int
    wanted: Wanted
    until: float
    answered: bool = False


class Moderation:
    """All questions of one session."""

    def __init__(
        self,
        client: discord.Client,
        inbox: Inbox,
        discreet: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin with none.

        Args:
            client: The session.
            inbox: Keeps what was used, so that nothing is carried out twice.
            discreet: Takes out of a text what may never leave.
            clock: Seconds since 1970.
        """
        self._client, self._inbox, self._discreet, self.clock = client, inbox, discreet, clock
        self._open: OrderedDict[int, _Asked] = OrderedDict()
        """By the id of the message or command in which somebody asked."""
        client.add_dynamic_items(Press)

    # Asking

    async def typed(self, question: Question, text: str) -> bool:
        """Answer a message that asks for such a thing; whether it did."""
        wanted = read(text)
        if wanted is None:
            return False
        message = question.message
        said, view = await self._ask(message.guild, message.author, wanted, message.id)
        if view is None:
            await question.post(0, said)
        else:
            await question.post(0, said, view=view)
        return True

    async def used(self, used: discord.Interaction, wanted: Wanted | Unclear) -> None:
        """Answer a slash command, to who used it alone."""
        with self._inbox.use(used) as fresh:
            if not fresh:
                return
            try:
                await promptly(lambda: used.response.defer(thinking=True, ephemeral=True))
                said, view = await self._ask(used.guild, used.user, wanted, used.id)
                await patiently(lambda: used.edit_original_response(content=said, view=view))
            except UNREACHABLE as error:
                log.warning("a command of moderation was not answered: %s", error)
                self._inbox.lost(used.id, "Discord did not take an answer")

    async def _ask(
        self,
        guild: discord.Guild | None,
        asker: discord.User | discord.Member,
        wanted: Wanted | Unclear,
        asked: int,
    ) -> tuple[str, discord.ui.View | None]:
        """The question whether they are sure; where it cannot be done, why."""
        if isinstance(wanted, Unclear):
            return wanted.why, None
        if guild is None:
            return ON_SERVERS, None
        target = await self._target(guild, asker, wanted)
        if isinstance(target, str):
            return target, None
        until = self.clock() + OPEN_SECONDS
        self._open[asked] = _Asked(guild.id, asker.id, wanted, until)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        said = (
            f"{wanted.deed.title()} {target.mention} ({shown_name(target)}){wanted.time}? {self._why(wanted)}"
        )
        whose = f"-# For {asker.mention} to press, until <t:{int(until)}:T>."
        return f"{said}\n{whose}", _view(wanted.deed, asked)

    async def _target(
        self, guild: discord.Guild, asker: discord.User | discord.Member, wanted: Wanted
    ) -> discord.Member | str:
        """Whom it is about, if it may be done to them by somebody; else why not."""
        us = self._client.user
        if (
            us is None or guild.get_role(guild.id) is None
        ):  # what is known of an unavailable server is no more than its id
            return NOT_NOW
        try:
            target = await patiently(lambda: guild.fetch_member(wanted.target), LOOK_SECONDS)
            me = await patiently(lambda: guild.fetch_member(us.id), LOOK_SECONDS)
            # Last, whatever Discord said of them before: between their rights and the deed nothing is waited for.
            member = await patiently(lambda: guild.fetch_member(asker.id), LOOK_SECONDS)
        except discord.HTTPException as error:
            nobody = error.code in (NO_MEMBER, NO_USER) or error.status == HTTPStatus.BAD_REQUEST
            return NOT_HERE if nobody else NOT_NOW
        except UNREACHABLE:
            return NOT_NOW
        return refusal(wanted.deed, member, target, me) or target

    def _why(self, wanted: Wanted) -> str:
        return (
            f"Reason: {one_line(self._discreet(wanted.reason), 900)}"
            if wanted.reason
            else "No reason was given."
        )

    # Pressing

    async def pressed(self, used: discord.Interaction, asked: int, *, sure: bool) -> None:
        """Somebody pressed a button."""
        with self._inbox.use(used) as fresh:
            if not fresh:
                return
            try:
                await self._press(used, asked, sure=sure)
            except UNREACHABLE as error:
                log.warning("a press could not be answered: %s", error)
                self._inbox.lost(used.id, f"Discord did not take an answer: {type(error).__name__}")

    async def _press(self, used: discord.Interaction, asked: int, *, sure: bool) -> None:
        one = self._open.get(asked)
        if one is None or (one.until < self.clock() and not one.answered):
            self._open.pop(asked, None)
            await promptly(lambda: used.response.edit_message(content=RUN_OUT, view=None))
            return
        if used.user.id != one.asker or used.guild_id != one.guild:
            await promptly(lambda: used.response.send_message(NOT_YOURS, ephemeral=True))
            return
        if one.answered:
            await promptly(lambda: used.response.send_message(ANSWERED, ephemeral=True))
            return
        self._open[asked] = replace(one, answered=True)  # before anything is waited for: it is good once
        if not sure:
            left = f"Nothing was done: {used.user.mention} left it."
            await promptly(lambda: used.response.edit_message(content=left, view=None))
            return
        # What Discord has given up on is not done behind anybody's back.
        await promptly(lambda: used.response.edit_message(content="That is being done…", view=None))
        guild, wanted = used.guild, one.wanted
        target = await self._target(guild, used.user, wanted) if guild is not None else NOT_NOW
        said = target if isinstance(target, str) else await self._carry_out(wanted, target, used.user)
        await patiently(lambda: used.edit_original_response(content=said))
        hidden = used.message is not None and used.message.flags.ephemeral
        if hidden and not isinstance(target, str):
            # What is done to somebody is no secret. Once: there is no nonce that would keep a second one away.
            await used.followup.send(said, wait=True)

    async def _carry_out(
        self, wanted: Wanted, target: discord.Member, asker: discord.User | discord.Member
    ) -> str:
        """Do it, and say what came of it."""
        try:
            await self._do(wanted, target, self._audit(wanted, asker))
        except discord.HTTPException as error:
            log.warning("a member could not be moderated: %s", error)
            if isinstance(error, discord.NotFound):
                return GONE_ALREADY
            if error.code == NO_SECOND_FACTOR:
                return SECOND_FACTOR
            return HELD_BACK if isinstance(error, discord.Forbidden) else UNKNOWN
        except UNREACHABLE as error:
            log.warning("a member could not be moderated: %s", error)
            return UNKNOWN
        log.info("%s %s %s on %s", asker.id, wanted.deed.done, target.id, target.guild.id)
        return (
            f"{target.mention} ({shown_name(target)}) was {wanted.deed.done}{wanted.time}. {self._why(wanted)}\n"
            f"-# Pressed by {asker.mention}."
        )

    def _do(self, wanted: Wanted, target: discord.Member, audit: str) -> Awaitable[Any]:
        if wanted.deed is Deed.KICK:
            return target.guild.kick(target, reason=audit)
        if wanted.deed is Deed.BAN:
            return target.guild.ban(target, delete_message_seconds=0, reason=audit)
        return target.timeout(timedelta(seconds=wanted.seconds), reason=audit)

    def _audit(self, wanted: Wanted, asker: discord.User | discord.Member) -> str:
        """The reason as Discord's audit log shows it, where otherwise only the bot would be named."""
        why = " ".join(self._discreet(wanted.reason).split()) or "no reason was given"
        return f"{asker.name} ({asker.id}): {why}"[:LONGEST_AUDIT]


def _view(deed: Deed, asked: int) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for label, style, sure in (
        (deed.title(), discord.ButtonStyle.danger, True),
        ("Leave it", discord.ButtonStyle.secondary, False),
    ):
        name = f"mod/{asked}/{'yes' if sure else 'no'}"
        button: discord.ui.Button[Any] = discord.ui.Button(label=label, style=style, custom_id=name)
        view.add_item(Press(button, asked, sure=sure))
    return view
