"""What may be done to a member of a server, read from words, and whether somebody may do it. Pure.

Whether may is Discord's own rule, held before Discord holds it, so that each "no" is a sentence: the permission, the order
of roles, the owner; for the person who asks and for the bot alike.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import discord

from bot.control.commands import MODERATE, Unclear, split
from bot.discord.permits import MODERATION, Permit
from bot.discord.text import one_line

LONGEST_MUTE = 28 * 86_400
"""Seconds; Discord's timeouts last no longer."""
LONGEST_REASON = 400
"""Characters of a reason: with who gave it, it fits the 512 of Discord's audit log."""
USAGE = "say it like `mute @somebody for 10 minutes because of spam`, or `kick` or `ban` without a time."
WHO_ELSE = (
    "That is done to one member at a time: mention one, chosen from the list that Discord opens at the @."
)


class Deed(StrEnum):
    """What is done to a member."""

    KICK = "kick"
    BAN = "ban"
    MUTE = "mute"

    @property
    def permit(self) -> Permit:
        """The permission that it takes."""
        return MODERATION[self.value]

    @property
    def done(self) -> str:
        """As something that was done to somebody."""
        return {"kick": "kicked", "ban": "banned", "mute": "muted"}[self.value]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants done.

    Attributes:
        deed: What.
        target: To whom, by id.
        seconds: For how long, of a mute; 0 for what has no end.
        reason: Why; empty where nobody said.
    """

    deed: Deed
    target: int
    seconds: int = 0
    reason: str = ""

    @property
    def time(self) -> str:
        """How long it lasts, as the end of a sentence; empty for what has no end."""
        return f" for {lasting(self.seconds)}" if self.seconds else ""


_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_COUNTS = {
    **dict.fromkeys(("a", "an", "one"), 1.0),
    "two": 2.0,
    "three": 3.0,
    "four": 4.0,
    "five": 5.0,
    "ten": 10.0,
    "half an": 0.5,
    "half a": 0.5,
}
_SPAN = (
    r"(?:(?P<count>\d{1,9}(?:\.\d{1,3})?)\s*|(?P<word>half\s+an?|an?|one|two|three|four|five|ten)\s+)"
    r"(?P<unit>w(?:eeks?|ks?)?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![^\W\d])"
)
_A_SPAN = re.compile(_SPAN, re.IGNORECASE)
_PLAIN_SPAN = re.sub(r"\?P<\w+>", "?:", _SPAN)
_SPANS = rf"{_PLAIN_SPAN}(?:(?:\s*(?:,|and)?\s*){_PLAIN_SPAN})*"
_MORE = r"(?!\s*(?:and\s+)?(?:a\s+half\b|half\b|\d))"
"""A time that goes on in a way that is not understood is none, rather than a shorter one."""
_TIME_FIRST = re.compile(rf"[\s,]*(?:for\s+)?(?P<time>{_SPANS})(?!\w){_MORE}", re.IGNORECASE)
_TIME_LAST = re.compile(rf"(?:^|\s)(?:for\s+)?(?P<time>{_SPANS})[\s.!?]*\Z", re.IGNORECASE)
_WHY = re.compile(
    r"[\s,.:;!?\u2013\u2014-]*(?:(?:because(?:\s+of)?|since|due\s+to|reason\s*:|for)\b[\s:]*)?", re.IGNORECASE
)
_ASKED = re.compile(
    r"\s*(?:(?:hey|hi|please|pls|can\s+you|could\s+you|would\s+you|will\s+you)\b[\s,]*)*"
    r"(?P<deed>kick|ban|mute|silence|time[\s-]?out)\s+"
    r"(?:<@!?(?P<id>\d{1,20})>|(?P<plain>\d{15,20})(?!\w)|(?P<nobody><@&\d{1,20}>|@\S+))(?P<rest>(?!['\u2019]\w).*)",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER = re.compile(
    r"[\s,;.&+]*(?:(?:and|then|also|please|or|kick|ban|mute|silence|time[\s-]?out)\b[\s,;]*)*<@",
    re.IGNORECASE,
)


def read(text: str) -> Wanted | Unclear | None:
    """What a line asks to be done to a member.

    Args:
        text: What was said, in words that begin with what is to be done, or as `/moderate ...`.

    Returns:
        None where it asks for nothing of the kind: only a deed with a mention behind it counts.
    """
    parts = split(text)
    by_name = parts is not None and parts[0] == MODERATE
    found = _ASKED.fullmatch(parts[1] if parts is not None and by_name else text)
    if found is None:
        return Unclear(f"/{MODERATE}: {USAGE}") if by_name else None
    if found["nobody"] or _ANOTHER.match(found["rest"]):
        return Unclear(WHO_ELSE)
    deed = {"kick": Deed.KICK, "ban": Deed.BAN}.get(found["deed"].lower(), Deed.MUTE)
    rest = " ".join(["", *found["rest"].split()])
    time = _TIME_FIRST.match(rest) or (_TIME_LAST.search(rest) if deed is Deed.MUTE else None)
    if time is not None:
        rest = f"{rest[: time.start()]} {rest[time.end() :]}"
    return wanted(deed, int(found["id"] or found["plain"]), time["time"] if time else "", rest)


def wanted(deed: Deed, target: int, time: str, reason: str) -> Wanted | Unclear:
    """The same of its parts.

    Args:
        deed: What is to be done.
        target: To whom, by id.
        time: For how long, in words or as `1h30m`; empty where nobody said.
        reason: Why.
    """
    said = " ".join(reason.split())
    why = said[(found.end() if (found := _WHY.match(said)) else 0) :].strip()
    if len(why) > LONGEST_REASON:
        return Unclear(f"That reason has {len(why)} characters; say it in {LONGEST_REASON}.")
    if deed is not Deed.MUTE:
        if time.strip():
            return Unclear(f"A {deed} has no end here; leave the time out, or mute for a time instead.")
        return Wanted(deed, target, reason=why)
    seconds = duration(time)
    if seconds is None:
        return Unclear(
            "Say for how long: `mute @somebody for 10 minutes`, or as the time `10m`, `2h`, `3 days`."
        )
    if not 1 <= seconds <= LONGEST_MUTE:
        return Unclear("Discord mutes for at least a second and at most 28 days; say a time between these.")
    return Wanted(deed, target, seconds, why)


def duration(text: str) -> int | None:
    """Seconds of a time such as `10 minutes`, `1h30m` or `half an hour`; None where it is none."""
    if not re.fullmatch(rf"\s*(?:for\s+)?{_SPANS}\s*", text, re.IGNORECASE):
        return None
    units = {name[0]: size for name, size in _UNITS}
    seconds = 0.0
    for found in _A_SPAN.finditer(text):
        word = " ".join((found["word"] or "").lower().split())
        count = _COUNTS[word] if word else float(found["count"])
        seconds += count * units[found["unit"][0].lower()]
    return int(seconds)


def lasting(seconds: int) -> str:
    """A time in words."""
    said = []
    for name, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            said.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " and ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))


def refusal(deed: Deed, asker: discord.Member, target: discord.Member, me: discord.Member) -> str:
    """Why this is not done; empty where it may be.

    Args:
        deed: What is to be done.
        asker: Who wants it, with the roles of this moment.
        target: To whom, likewise.
        me: The bot on that server, likewise.
    """
    name, permit, owner = f"**{shown_name(target)}**", deed.permit, target.guild.owner_id
    if not getattr(asker.guild_permissions, permit.flag):
        return f"To {deed} somebody you need the permission **{permit.label}** on this server, and you do not have it."
    if target.id == asker.id:
        return f"You cannot {deed} yourself."
    if target.id == me.id:
        return f"I do not {deed} myself; whoever manages the server can do that by hand."
    if target.id == owner:
        return f"{name} owns this server, and nobody can {deed} its owner."
    if asker.id != owner and target.top_role >= asker.top_role:
        return f"The highest role of {name} is not below yours, so you cannot {deed} them."
    if not getattr(me.guild_permissions, permit.flag):
        return f"I lack the permission **{permit.label}** on this server; whoever manages it can give it to my role."
    if target.top_role >= me.top_role:
        return (
            f"The highest role of {name} is not below mine, so I cannot {deed} them; whoever manages the server can move "
            "my role up."
        )
    if deed is Deed.MUTE and target.guild_permissions.administrator:
        return f"{name} is an administrator, and Discord lets nobody mute those."
    return ""


def shown_name(member: discord.Member) -> str:
    """Somebody's name, as words that format nothing."""
    return one_line(member.display_name, 80)
