"""The control commands: what a typed line asks of the steward, or a sentence on what is wrong with it.

Pure but for `/improve @FILE`, which reads the file it names. Each command becomes one message of the
protocol; who is asked and how the answer looks is decided elsewhere.
"""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bot.feature import CommandInfo
from policies.rights import Capability
from selfedit import protocol as say
from selfedit.edits import MAX_EDITS, Edit, MalformedEdits, first_fault, parse_edits
from selfedit.types import Request

MAX_EDITS_BYTES = MAX_EDITS * 20_000
"""Longest list of edits that is read at all, in bytes."""

MAX_DESCRIPTION = 100_000
"""Bytes of a tool's description that are read at all."""


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
    usage: str
    summary: str
    read: Callable[[str, str], BaseModel | Unclear]
    """Makes the message of what follows the name and of who says it."""


def split(line: str) -> tuple[str, str] | None:
    """A line's command name and what follows it; None when the line is no command."""
    found = re.match(r"\s*/(\S*)\s*(.*)", line, re.DOTALL)
    return (found[1].lower(), found[2].strip()) if found else None


def parse(line: str, by: str, *, files: bool = True) -> Asked | Unclear | None:
    """Read a line as a control command.

    Args:
        line: What was typed; a pasted list of edits may go over several lines.
        by: Who typed it, as `surface:name`.
        files: Whether `/improve @FILE` may read files of this machine: at the console only.

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
    return message if isinstance(message, Unclear) else Asked(name, message)


def needs(line: str) -> Capability:
    """What somebody must be allowed to do to use a line: what its control command needs, else to chat."""
    parts = split(line)
    known = _COMMANDS.get(parts[0]) if parts else None
    return known.needs if known else "chat"


def unknown(name: str, known: Collection[str]) -> str:
    """The answer to a command that nobody answers to, with what may have been meant."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean /{near[0]}?" if near else "/help lists the commands."
    return f"There is no command /{name}; {hint}"


def begins_edits(line: str) -> bool:
    """Whether a line begins pasted JSON, which may go over several lines: edits, or the description of a tool."""
    parts = split(line)
    if parts is None:
        return False
    name, rest = parts
    making = name == "tool" and re.match(r"create\s+(?:[a-z]\w*\s+)?\{", rest) is not None
    return making or (name == "improve" and rest.startswith(("[", "{")))


def described(rest: str) -> str:
    """What follows `/tool`, with the text of a file in place of `create @FILE`; at the console only.

    A file that cannot be read is left as it was typed, which is then no description.
    """
    found = re.fullmatch(r"create\s+(?:([a-z]\w*)\s+)?@(.+)", rest.strip())
    if found is None:
        return rest
    try:
        with Path(found[2].strip()).expanduser().open("rb") as file:
            text = file.read(MAX_DESCRIPTION + 1).decode(errors="replace")
    except (OSError, ValueError):
        return rest
    return f"create {found[1] or ''} {text}"


def brackets(line: str) -> int:
    """How many more brackets one line of JSON opens than it closes; those in strings do not count."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    return sum((char in "[{") - (char in "]}") for char in bare)


def infos() -> tuple[CommandInfo, ...]:
    """The control commands, and what the bot itself answers, as help shows them."""
    asked = [CommandInfo(name, c.usage, c.summary, live=False) for name, c in _COMMANDS.items()]
    told = {**_TOLD, **_SAID}
    return (*asked, *(CommandInfo(name, *about, live=False) for name, about in told.items()))


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
    number = _number(rest, "rollback") if rest else None
    return number if isinstance(number, Unclear) else say.Rollback(number=number, by=by)


def _bare(name: str, make: Callable[[str], BaseModel]) -> Callable[[str, str], BaseModel | Unclear]:
    def read(rest: str, by: str) -> BaseModel | Unclear:
        return Unclear(f"/{name} takes nothing more; type /{name} alone") if rest else make(by)

    return read


_COMMANDS: dict[str, _Command] = {
    "improve": _Command(
        "propose",
        "improve [goal]",
        "ask for a change: in words, as edits, or whatever maintenance finds",
        _improve,
    ),
    "proposals": _Command(
        "see", "proposals", "list the proposals", _bare("proposals", lambda _by: say.Proposals())
    ),
    "proposal": _Command(
        "see",
        "proposal N",
        "show one with its gate report",
        _with_number("proposal", lambda n, _by: say.Show(number=n)),
    ),
    "diff": _Command(
        "see", "diff N", "show what one changes", _with_number("diff", lambda n, _by: say.Diff(number=n))
    ),
    "approve": _Command(
        "approve",
        "approve N",
        "approve, merge and bring to life",
        _with_number("approve", lambda n, by: say.Approve(number=n, by=by)),
    ),
    "reject": _Command("approve", "reject N [why]", "turn one down", _reject),
    "rollback": _Command(
        "approve", "rollback [N]", "take a merged one back, by default the newest", _rollback
    ),
    "status": _Command("see", "status", "how things stand", _bare("status", lambda _by: say.Status())),
    "why": _Command(
        "see",
        "why",
        "which proposals made the running code, and which models were asked",
        _bare("why", lambda _by: say.Why()),
    ),
    "halt": _Command(
        "halt", "halt", "stop all self-editing, and what chat is doing now", lambda _rest, by: say.Halt(by=by)
    ),
    "resume": _Command(
        "halt", "resume", "allow self-editing again", _bare("resume", lambda by: say.Resume(by=by))
    ),
    "quit": _Command("setup", "quit", "end Theseus", _bare("quit", lambda _by: say.Quit())),
}

_TOLD: dict[str, tuple[str, str]] = {
    "tools": ("tools [NAME]", "what chat can do for you beside talking; all about one tool"),
    "tool": ("tool create {...}", "make a tool of data, or list, show, try, share, remove one; template"),
    "cost": ("cost", "what language models have cost today, and what the next question may"),
    "history": ("history [N]", "what was said here lately, with the calls of tools"),
    "forget": ("forget [all]", "let go of what you said here"),
    "usage": ("usage [DAYS]", "for maintainers: who and what was used, how often and how well"),
    "calls": ("calls [N]", "for maintainers: the newest calls of tools with all their stages"),
    "models": ("models", "which language models can be asked, and what they cost"),
}

CHAT = "chat"
"""The command that is chat, with options."""
CHAT_USAGE = f"{CHAT} [--model NAME] [--tools auto|force|off|TOOL] [--combine] [--private] TEXT"
ATTACH = "attach"
"""The console's own: elsewhere files come with the message."""
_SAID: dict[str, tuple[str, str]] = {
    CHAT: (CHAT_USAGE, "chat, and say how it is to be answered"),
    ATTACH: (
        "attach [PATH|none]",
        "at the console: send a text or a picture along with your next message; none takes it back",
    ),
}

TOLD = frozenset(_TOLD)
"""Commands of the kernel that the bot answers without asking the steward."""
NAMES = frozenset(_COMMANDS) | TOLD | frozenset(_SAID)
"""Names that no live feature may take."""
