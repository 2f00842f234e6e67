"""The panel of `/setup`: what stands now, what protects, what is missing, and the lists to choose from. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import discord

from policies.rights import CAPABILITIES, EVERYONE, MAINTAINER, MANAGER, OWNER, Capability
from selfedit import protocol as say
from selfedit.answers.render import shown

Topic = Literal["chat", "see", "propose", "approve", "halt", "setup", "news"]
"""What can be chosen: who has a capability, or where news go."""
TOPICS: tuple[Topic, ...] = get_args(Topic)
MOST_CHOSEN = 25
"""Entries of a list that Discord takes; more than that many have a right by /grant."""
NOT_EVERYONE = "@everyone is no role to choose here; name people or roles."
_LONGEST = 500
"""Characters of a field; nine of them stay below what an embed may hold."""
_COLOUR = 0x5865F2

LABELS: dict[Topic, str] = {
    "chat": "Who chats",
    "see": "Who sees proposals",
    "propose": "Who asks for changes",
    "approve": "Who approves, rejects and rolls back",
    "halt": "Who halts and resumes",
    "setup": "Who sets this up",
    "news": "Where news go",
}
DEEDS: dict[Capability, str] = {
    "chat": "chat",
    "see": "look at proposals",
    "propose": "ask for changes",
    "approve": "approve, reject and roll back",
    "halt": "halt and resume",
    "setup": "say who may do what",
}
"""What each capability lets somebody do, in words."""
_WORDS = {
    EVERYONE: "everyone",
    MANAGER: "who manages the server",
    MAINTAINER: "maintainers",
    OWNER: "the owner",
    "github:role/write": "who may write to the repository on GitHub",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that the panel shows.

    Attributes:
        rights: Who may do what, as the steward says.
        status: How things stand; None where it could not be said.
        lacking: Sentences about what is missing.
        roles: Roles of the server on which it is shown, by id; None in direct messages.
        news: The channel for news there.
        topic: What is being chosen.
        said: What came of the last choice.
    """

    rights: say.RightsAre
    status: say.StatusIs | None
    lacking: Sequence[str]
    roles: frozenset[int] | None
    news: int | None
    topic: Topic = "approve"
    said: str = ""


def embed(now: Standing) -> discord.Embed:
    """What the panel says."""
    made = discord.Embed(title="Who may do what", colour=_COLOUR)
    made.description = "Choose a line below, then people and roles. It holds at once; whoever runs the bot may always do everything, on its machine."
    for capability in CAPABILITIES:
        made.add_field(name=LABELS[capability], value=_names(capability, now), inline=False)
    if now.roles is not None:
        made.add_field(name=LABELS["news"], value=f"<#{now.news}>" if now.news else "nowhere", inline=False)
    made.add_field(name="What protects", value=_cut(_protects(now.status)), inline=False)
    if now.lacking:
        made.add_field(
            name="What is missing", value=_cut("\n".join(f"- {one}" for one in now.lacking)), inline=False
        )
    return made


def table(rights: say.RightsAre) -> discord.Embed:
    """Who may do what, to be looked at."""
    made = discord.Embed(title="Who may do what", colour=_COLOUR)
    made.description = "The owner changes that with /setup, /grant and /withdraw."
    now = Standing(rights, None, (), None, None)
    for capability in CAPABILITIES:
        made.add_field(name=LABELS[capability], value=_names(capability, now, every=True), inline=False)
    return made


def changed(who: str, capability: Capability, *, allowed: bool) -> str:
    """What came of a change of rights, in a sentence."""
    return f"{mention(who)} may {'' if allowed else 'not '}{DEEDS[capability]} now."


def mention(who: str) -> str:
    """Somebody, or a role, as Discord shows them."""
    kind, number = read_name(who)
    return {"user": f"<@{number}>", "role": f"<@&{number}>"}.get(kind, _WORDS.get(who, who).capitalize())


def parts(now: Standing) -> list[discord.ui.Item[Any]]:
    """The lists and the button below it; their ids say what they are for."""
    topics = [one for one in TOPICS if one != "news" or now.roles is not None]
    options = [discord.SelectOption(label=LABELS[one], value=one, default=one == now.topic) for one in topics]
    made: list[discord.ui.Item[Any]] = [discord.ui.Select(custom_id=_id("topic"), options=options, row=0)]
    if now.topic == "news":
        channel = discord.SelectDefaultValueType.channel
        chosen = [discord.SelectDefaultValue(id=now.news, type=channel)] if now.news else []
        kinds = [discord.ChannelType.text, discord.ChannelType.news]
        made.append(
            discord.ui.ChannelSelect(
                custom_id=_id("news"),
                channel_types=kinds,
                default_values=chosen,
                min_values=0,
                max_values=1,
                placeholder="nowhere",
                row=1,
            )
        )
        return made
    made.append(_people(now, now.topic))
    if now.topic == "chat":
        everyone = EVERYONE in now.rights.holders.get("chat", ())
        label = "Let only these chat" if everyone else "Let everyone chat"
        # What it does stands in its id: whoever presses it beside an older view gets what it said.
        wish = "off" if everyone else "on"
        made.append(discord.ui.Button(custom_id=_id(f"everyone/{wish}"), label=label, row=2))
    return made


def chosen_of(capability: Capability, now: Standing) -> list[str]:
    """Who has a right by grant and can be shown in the list of this place: persons, and the roles of this server."""
    found = [one.who for one in now.rights.granted if one.capability == capability and one.allowed]
    here = now.roles or frozenset()
    kept = []
    for who in found:
        kind, number = read_name(who)
        if kind == "user" or (kind == "role" and number in here):
            kept.append(who)
    return kept[:MOST_CHOSEN]


def read_name(who: str) -> tuple[Literal["user", "role", ""], int]:
    """The kind and id of somebody on Discord as the rules name them; no kind for anybody else."""
    surface, _, rest = who.partition(":")
    number = rest.removeprefix("role/")
    if surface != "discord" or not number.isdecimal():
        return "", 0
    return ("role" if rest != number else "user"), int(number)


NO_MODEL = "No language model is set up, so chat does not answer: what to set stands in the terminal where the bot was started."


def lacking(rights: say.RightsAre, no_model: str | None) -> list[str]:
    """What somebody who sets things up should know is missing."""
    found = [NO_MODEL] if no_model else []
    named = {*rights.holders.get("approve", ()), *rights.maintainers}
    kinds = [read_name(who)[0] for who in named]
    if "role" not in kinds:
        if "user" not in kinds:
            found.append(
                "Nobody approves here yet: choose people under *Who approves*. Until then it is done on the bot's machine, "
                "with `.venv/bin/python -m selfedit approve N`."
            )
        elif kinds.count("user") == 1:
            found.append(
                "Only one person approves: what they ask for themselves, and what takes two approvals, needs another."
            )
    return found


def _people(now: Standing, capability: Capability) -> discord.ui.Item[Any]:
    kinds = {
        "user": discord.SelectDefaultValueType.user,
        "role": discord.SelectDefaultValueType.role,
        "": discord.SelectDefaultValueType.user,
    }
    shown_now = [
        discord.SelectDefaultValue(id=number, type=kinds[kind])
        for kind, number in map(read_name, chosen_of(capability, now))
    ]
    select = discord.ui.UserSelect if now.roles is None else discord.ui.MentionableSelect
    return select(
        custom_id=_id(capability),
        default_values=shown_now,
        min_values=0,
        max_values=MOST_CHOSEN,
        placeholder="people" if now.roles is None else "people and roles",
        row=1,
    )


def _id(what: str) -> str:
    return f"setup/{what}"


def _names(capability: Capability, now: Standing, *, every: bool = False) -> str:
    here = now.roles or frozenset()
    words, elsewhere = [], 0
    for who in now.rights.holders.get(capability, ()):
        kind, number = read_name(who)
        if kind == "user":
            words.append(f"<@{number}>")
        elif kind == "role" and (every or number in here):
            words.append(f"<@&{number}>")
        elif kind == "role":
            elsewhere += 1
        elif who == MAINTAINER:
            listed = [f"<@{read_name(one)[1]}>" for one in now.rights.maintainers if read_name(one)[0]]
            words.append(f"maintainers ({', '.join(listed) or 'none are listed'})")
        else:
            words.append(_WORDS.get(who, who))
    if elsewhere:
        words.append(f"{elsewhere} role{'s' if elsewhere > 1 else ''} of other servers")
    return _cut(", ".join(words) or "only whoever runs the bot")


def _protects(status: say.StatusIs | None) -> str:
    if status is None:
        return "The steward cannot be asked now; try again."
    lines = [f"Sandbox: {status.sandbox}"]
    lines += [f"does not hold: {each.name}" for each in status.protections if not each.held]
    if status.halted:
        lines.append(f"Changes are halted by {status.halted}.")
    elif status.problem:
        lines.append(f"Changes are not possible now: {status.problem}")
    return shown("\n".join(lines))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
