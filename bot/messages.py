"""What is answered on a chat service, to whom, and in how large pieces; knows no service's library."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from agent.incoming.wish import PLAIN, Wish
from bot.control.commands import Unclear, needs, parse
from bot.surface import Control, Show, Theseus, unseen
from policies.rights import Person
from selfedit import render

LONGEST = 1900
"""Characters of one message; Discord takes 2000, and a sentence may have to follow."""
MOST_MESSAGES = 5
"""In so many messages an answer is sent; a longer one would push away what others say, and comes as a file."""
_LONGEST_LINE = LONGEST - 60
"""Of one line, with room for a block of code to be opened and closed around it."""
_FENCE = "```"
_CLOSING = len("\n" + _FENCE)
_KIND = re.compile(r"[\w+#.-]{0,30}")
_LINK = re.compile(r"\[[^\]\n]*\]\([^)\s]*\)|https?://\S+")
_SPACE = re.compile(r"\s+")
_JOINER = "\u200d"
_JOINING = frozenset("\u200d\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""What belongs to the character before it: joiners, variants, colours of skin."""


@dataclass(frozen=True, slots=True)
class Layout:
    """An answer as it is sent.

    Attributes:
        messages: What is said, at least one.
        file: What goes along with the first of them.
        name: What that is called.
    """

    messages: tuple[str, ...]
    file: bytes | None = None
    name: str = "answer.md"


class Messages:
    """Answers messages of people who sit elsewhere: live code for whoever may chat, control for whoever may use it."""

    def __init__(self, theseus: Theseus) -> None:
        self._theseus = theseus
        self._controls: dict[str, Control] = {}

    async def reply(
        self, text: str, person: Person, conversation: str, wish: Wish = PLAIN, show: Show = unseen
    ) -> str:
        """The answer to one message, as it is wished for and with what came along."""
        asked = parse(text, person.id, files=False)
        needed = "chat" if asked is None else needs(text)
        decision = self._theseus.may(needed, person)
        if not decision.allowed:
            return decision.why
        if asked is None:
            return await self._theseus.respond(text, person.id, conversation, wish, show)
        if isinstance(asked, Unclear):
            return asked.why
        if asked.name == "quit":
            return "Theseus is ended where it was started, not from here."
        control = self._controls.setdefault(person.id, Control(self._theseus))
        said = render.plain(*await control.carry_out(asked), width=100)
        return f"```\n{said.replace('```', chr(0x2BC) * 3)}\n```"


def lay_out(text: str) -> Layout:
    """An answer as it is sent: in several messages, or as its beginning and a file if it is very long."""
    cut = pieces(text)
    if len(cut) > MOST_MESSAGES:
        return Layout((f"{cut[0]}\n\nThat is the beginning; all of it is in the file.",), text.encode())
    return Layout(tuple(cut) or ("There is nothing to say to that.",))


def pieces(text: str) -> list[str]:
    """Cut a text into messages that Discord takes.

    It is cut between paragraphs where that is possible, else between lines, else between words, and never within a
    link or a character. A block of code that is cut goes on as one of the same kind; one that was left open is closed.
    """
    cut: list[str] = []
    here: list[str] = []
    fence = ""  # the line that opens the block of code in which we are
    for line in _lines(text):
        behind = _behind(fence, line)
        while here and _size([*here, line]) + _CLOSING > LONGEST:
            at = len(here) if fence else _paragraph(here)
            cut.append(_closed(here[:at], fence))
            here = ([fence] if fence else []) + here[at:]
            if here == [fence]:
                break
        here.append(line)
        fence = behind
    cut.append(_closed(here, fence))
    return [piece for piece in cut if piece.strip("` \n")]


def _lines(text: str) -> Iterator[str]:
    """The text's lines, long ones in parts."""
    for line in text.split("\n"):
        rest = line
        while len(rest) > _LONGEST_LINE:
            at = _gap(rest)
            yield rest[:at].rstrip()
            rest = rest[at:].lstrip()
        yield rest


def _gap(line: str) -> int:
    """Where a line that is too long is cut: at its last space that is in no link, else between two characters."""
    links = [found.span() for found in _LINK.finditer(line)]
    for found in reversed([*_SPACE.finditer(line, 1, _LONGEST_LINE)]):
        at = found.start()
        if at > _LONGEST_LINE // 2 and not any(begin < at < end for begin, end in links):
            return at
    middle = range(_LONGEST_LINE, _LONGEST_LINE // 2, -1)
    return next((at for at in middle if not _belongs(line[at - 1], line[at])), _LONGEST_LINE)


def _belongs(before: str, after: str) -> bool:
    """Whether a character is of one piece with the one before it."""
    fence = before == after == "`"
    return fence or before == _JOINER or after in _JOINING or unicodedata.combining(after) > 0


def _behind(fence: str, line: str) -> str:
    """The opening line of the block of code in which the next line stands; empty outside of one."""
    *_, last = parts = line.split(_FENCE)
    if len(parts) % 2:
        return fence
    return "" if fence else _FENCE + (last.strip() if _KIND.fullmatch(last.strip()) else "")


def _paragraph(lines: list[str]) -> int:
    """After which line to cut: the last empty one of the second half, else the last of all."""
    for at in range(len(lines) - 1, len(lines) // 2, -1):
        if not lines[at].strip() and sum(line.count(_FENCE) for line in lines[at:]) == 0:
            return at
    return len(lines)


def _size(lines: list[str]) -> int:
    return sum(map(len, lines)) + len(lines)


def _closed(lines: list[str], fence: str) -> str:
    text = "\n".join(lines).strip("\n")
    return f"{text}\n{_FENCE}" if fence else text
