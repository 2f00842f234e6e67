"""The control commands: what a typed line asks of the steward, or a sentence on what is wrong with it.

Pure but for `/improve @FILE`, which reads the file it names. Each command becomes one message of the
protocol; who is asked and how the answer looks is decided elsewhere.
"""

import difflib
import functools
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bot.control.options import NONE, Option, Suggests, usage_of
from bot.control.told import TOLD_COMMANDS, Told
from bot.feature import CommandInfo
from policies.rights import CAPABILITIES, Capability
from selfedit import protocol as say
from selfedit.editing.edits import MAX_EDITS, Edit, MalformedEdits, first_fault, parse_edits
from selfedit.types import Request

MAX_EDITS_BYTES = MAX_EDITS * 20_000
"""Longest list of edits that is read at all, in bytes."""

LONGEST_GOAL = 4000
"""Characters of a goal that are taken from a field: as many as a request may have."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A control command that is understood."""

    name: str
    message: BaseModel


@dataclass(frozen=True, slots=True)
class Unclear:
    """A control command that is not; `why` says what to type instead."""

    why: str


@dataclass(frozen=True, slots=True)
class _Command:
    needs: Capability
    summary: str
    read: Callable[[str, str], BaseModel | Unclear]
    """Makes the message of what follows the name and of who says it."""
    options: tuple[Option, ...] = ()


def split(line: str) -> tuple[str, str] | None:
    """A line's command name and what follows it; None when the line is no command."""
    found = re.match(r"\s*/(\S*)\s*(.*)", line, re.DOTALL)
    return (found[1].lower(), found[2].strip()) if found else None


def parse(line: str, by: str, *, files: bool = True, roles: Collection[str] = ()) -> Asked | Unclear | None:
    """Read a line as a control command.

    Args:
        line: What was typed; a pasted list of edits may go over several lines.
        by: Who typed it, as `surface:name`.
        files: Whether `/improve @FILE` may read files of this machine: at the console only.
        roles: What else counts for who typed it, as `policies.rights.Person` has it.

    Returns:
        None when the line is no control command: a live command, an unknown one, or chat.
    """
    parts = split(line)
    if parts is None or parts[0] not in _COMMANDS:
        return None
    name, rest = parts
    if name == "improve" and rest.startswith("@"):
        message = (
            _improve_by_file(rest[1:].strip(), by) if files else Unclear("files are read at the console only")
        )
    else:
        message = _COMMANDS[name].read(rest, by)
    if isinstance(message, say.FromPerson | say.Improve):
        message = message.model_copy(update={"roles": tuple(sorted(roles))})
    return message if isinstance(message, Unclear) else Asked(name, message)


def needs(line: str) -> Capability:
    """What somebody must be allowed to do to use a line: what its control command needs, else to chat."""
    parts = split(line)
    known = _COMMANDS.get(parts[0]) if parts else None
    return known.needs if known else "chat"


def without(lacking: Collection[Capability]) -> frozenset[str]:
    """The control commands that somebody cannot use who lacks these capabilities."""
    return frozenset(name for name, each in _COMMANDS.items() if each.needs in lacking)


def unknown(name: str, known: Collection[str]) -> str:
    """The answer to a command that nobody answers to, with what may have been meant."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean /{near[0]}?" if near else "/help lists the commands."
    return f"There is no command /{name}; {hint}"


@functools.cache
def infos() -> tuple[CommandInfo, ...]:
    """The control commands, and what the bot itself answers, as help shows them."""
    asked = [
        CommandInfo(name, usage_of(name, each.options), each.summary, live=False)
        for name, each in _COMMANDS.items()
    ]
    told = [
        CommandInfo(name, each.usage or usage_of(name, each.options), each.summary, live=False)
        for name, each in {**TOLD_COMMANDS, **_SAID}.items()
    ]
    return (*asked, *told)


def options_of(name: str) -> tuple[Option, ...] | None:
    """What a command of the kernel takes, field by field; None for one that is not the kernel's, or is only typed."""
    known = _COMMANDS.get(name) or TOLD_COMMANDS.get(name)
    return known.options if known else None


def fallback_help() -> str:
    """What /help says while no live code is loaded."""
    lines = [f"  /{info.usage.ljust(24)}{info.summary}" for info in infos()]
    return "\n".join(["No live code is loaded, so only the control commands work:", *lines])


def _improve(rest: str, by: str) -> BaseModel | Unclear:
    if rest.startswith(("[", "{")):
        return _improve_by_edits(rest, by)
    try:
        return say.Improve(request=Request(requested_by=by, goal=rest or None))
    except ValidationError as error:
        return Unclear(f"that goal cannot be used ({first_fault(error)}); say it in fewer words")


def _improve_by_edits(text: str | bytes, by: str) -> BaseModel | Unclear:
    try:
        edits: tuple[Edit, ...] = parse_edits(text)
    except MalformedEdits as error:
        return Unclear(f"these are no edits: {error}; give a JSON list of objects with op, path and so on")
    return say.Improve(request=Request(requested_by=by, edits=edits))


def _improve_by_file(name: str, by: str) -> BaseModel | Unclear:
    path = Path(name).expanduser()
    try:
        if not path.is_file():
            return Unclear(f"there is no file {name!r}; give a JSON file of edits as /improve @FILE")
        size = path.stat().st_size
        if size > MAX_EDITS_BYTES:
            return Unclear(f"{name} has {size:,} bytes; a list of edits may have {MAX_EDITS_BYTES:,}")
        with path.open("rb") as file:
            return _improve_by_edits(file.read(MAX_EDITS_BYTES + 1), by)
    except (OSError, ValueError) as error:
        return Unclear(f"{name!r} cannot be read: {error}")


def _number(rest: str, name: str) -> int | Unclear:
    if not rest:
        return Unclear(f"say which proposal, for example /{name} 1; /proposals lists them")
    if not re.fullmatch(r"#?[1-9][0-9]{0,8}", rest):
        return Unclear(f"{rest[:40]!r} is no proposal's number; say it like /{name} 1; /proposals lists them")
    return int(rest.removeprefix("#"))


def _with_number(
    name: str, make: Callable[[int, str], BaseModel]
) -> Callable[[str, str], BaseModel | Unclear]:
    def read(rest: str, by: str) -> BaseModel | Unclear:
        number = _number(rest, name)
        return number if isinstance(number, Unclear) else make(number, by)

    return read


def _reject(rest: str, by: str) -> BaseModel | Unclear:
    first, _, why = rest.partition(" ")
    number = _number(first, "reject")
    return number if isinstance(number, Unclear) else say.Reject(number=number, by=by, why=why.strip())


def _rollback(rest: str, by: str) -> BaseModel | Unclear:
    first, _, why = rest.partition(" ")
    number = None if first in ("", NONE) else _number(first, "rollback")
    if isinstance(number, Unclear):
        return number
    return say.Rollback(number=number, by=by, why=" ".join(why.split()) or say.NO_REASON)


def _bare(name: str, make: Callable[[str], BaseModel]) -> Callable[[str, str], BaseModel | Unclear]:
    def read(rest: str, by: str) -> BaseModel | Unclear:
        return Unclear(f"/{name} takes nothing more; type /{name} alone") if rest else make(by)

    return read


def _proposal(suggests: Suggests, *, required: bool = True) -> Option:
    return Option("number", "the proposal's number", "number", required, suggests, shown="N")


def _change(
    name: str, make: Callable[[str, Capability, str], BaseModel]
) -> Callable[[str, str], BaseModel | Unclear]:
    def read(rest: str, by: str) -> BaseModel | Unclear:
        who, _, what = rest.partition(" ")
        capability = next((one for one in CAPABILITIES if one == what.strip().lower()), None)
        if capability is None:
            return Unclear(
                f"say who and what, like /{name} discord:123 approve; what is one of {', '.join(CAPABILITIES)}"
            )
        return make(_named(who), capability, by)

    return read


def _named(who: str) -> str:
    """Somebody as the rules name them, also where they were mentioned as chat services do it."""
    found = re.fullmatch(r"<@(!|&|)([0-9]{1,20})>", who)
    return who if found is None else f"discord:{'role/' if found[1] == '&' else ''}{found[2]}"


_WHO_AND_WHAT = (
    Option(
        "who", "a mention, or discord:ID, discord:role/ID, everyone, manager, ...", required=True, shown="WHO"
    ),
    Option("what", "what they may do", required=True, choices=CAPABILITIES, shown="WHAT"),
)
_COMMANDS: dict[str, _Command] = {
    "improve": _Command(
        "propose",
        "ask for a change: in words, as edits, or whatever maintenance finds",
        _improve,
        (
            Option(
                "goal",
                "what should be better; leave it out for whatever maintenance finds",
                longest=LONGEST_GOAL,
            ),
        ),
    ),
    "proposals": _Command("see", "list the proposals", _bare("proposals", lambda _by: say.Proposals())),
    "proposal": _Command(
        "see",
        "show one with its gate report",
        _with_number("proposal", lambda n, _by: say.Show(number=n)),
        (_proposal("any"),),
    ),
    "diff": _Command(
        "see",
        "show what one changes",
        _with_number("diff", lambda n, _by: say.Diff(number=n)),
        (_proposal("any"),),
    ),
    "approve": _Command(
        "approve",
        "approve, merge and bring to life",
        _with_number("approve", lambda n, by: say.Approve(number=n, by=by)),
        (_proposal("open"),),
    ),
    "reject": _Command(
        "approve",
        "turn one down",
        _reject,
        (_proposal("open"), Option("reason", "why, for whoever asked for it", shown="why")),
    ),
    "rollback": _Command(
        "approve",
        "take a merged one back, by default the newest",
        _rollback,
        (
            _proposal("merged", required=False),
            Option("reason", "why, behind a number", shown="why", longest=400),
        ),
    ),
    "status": _Command("see", "how things stand", _bare("status", lambda _by: say.Status())),
    "why": _Command(
        "see",
        "which proposals made the running code, and which models were asked",
        _bare("why", lambda _by: say.Why()),
    ),
    "halt": _Command(
        "halt", "stop all self-editing, and what chat is doing now", lambda _rest, by: say.Halt(by=by)
    ),
    "resume": _Command("halt", "allow self-editing again", _bare("resume", lambda by: say.Resume(by=by))),
    "rights": _Command("see", "who may do what", _bare("rights", lambda _by: say.Rights())),
    "grant": _Command(
        "setup",
        "allow somebody to do something",
        _change("grant", lambda who, what, by: say.Grant(to=who, capability=what, by=by)),
        _WHO_AND_WHAT,
    ),
    "withdraw": _Command(
        "setup",
        "take such a right from somebody",
        _change("withdraw", lambda who, what, by: say.Withdraw(to=who, capability=what, by=by)),
        _WHO_AND_WHAT,
    ),
    "quit": _Command("setup", "end Theseus", _bare("quit", lambda _by: say.Quit())),
}

CHAT = "chat"
"""The command that is chat, with options."""
CHAT_USAGE = f"{CHAT} [--model NAME] [--tools auto|force|off|TOOL] [--combine] [--private] TEXT"
SETUP = "setup"
"""Discord's own: a panel of lists to choose from."""
SETUP_ELSEWHERE = (
    "/setup is a panel: on Discord, type / and choose it from the list that opens. "
    "In words, /rights shows who may do what, /grant and /withdraw change it."
)
MODERATE = "moderate"
"""Discord's own: it has a member kicked, banned or muted there."""
ELSEWHERE = {
    SETUP: SETUP_ELSEWHERE,
    MODERATE: "Members are kicked, banned and muted on Discord, on the server where they are.",
}
"""Commands that are answered by Discord's part alone, and what is said of each anywhere else."""
ATTACH = "attach"
"""The console's own: elsewhere files come with the message."""
_SAID: dict[str, Told] = {
    CHAT: Told("chat, and say how it is to be answered", usage=CHAT_USAGE),
    SETUP: Told("on Discord, for the owner: who may do what, and where news go"),
    MODERATE: Told(
        "on Discord, for whoever may: kick, ban or mute a member, after a press of a button",
        usage=f"{MODERATE} kick|ban|mute WHO [TIME] [WHY]",
    ),
    ATTACH: Told(
        "at the console: send a text or a picture along with your next message; none takes it back",
        usage="attach [PATH|none]",
    ),
}

CONSOLE_ONLY = frozenset({"quit", ATTACH})
"""Commands that make sense at the console only."""
TOLD = frozenset(TOLD_COMMANDS)
"""Commands of the kernel that the bot answers without asking the steward."""
NAMES = frozenset(_COMMANDS) | TOLD | frozenset(_SAID)
"""Names that no live feature may take."""
