"""An answer as it is sent: what may not leave taken out of it, and in pieces that Discord takes. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

from agent.guardrails.redaction import HIDDEN
from policies.credentials import without_credentials

LONGEST = 1900
"""Size of one message in UTF-16 units, of which there are never fewer than what Discord counts; it takes 2000, and a
sentence may have to follow."""
MOST_MESSAGES = 5
"""In so many messages an answer is sent; a longer one would push away what others say, and comes as a file."""
NOTHING = "There is nothing to say to that."
_LONGEST_LINE = LONGEST - 60
"""Of one line, with room for a block of code to be opened and closed around it."""
_FENCE = "```"
_CLOSING = len("\n" + _FENCE)
_QUOTE = "> "
_KIND = re.compile(r"[\w+#.-]{0,30}")
_WHOLE = re.compile(
    r"\[[^\]\n]{0,500}\]\([^)\s]{0,1900}\)|<https?://[^\s<>]{1,1900}>|https?://[^\s<]+|`[^`\n]{1,300}`|\*\*[^*\n]{1,300}\*\*"
    r"|\|\|[^|\n]{1,1500}\|\||<(?:a?:\w{1,32}:|t:-?|[#@][!&]?|/[\w -]{1,100}:)\d{1,20}(?::\w)?>"
)
"""What is not cut where that can be helped: links, words in bold, a little code, what is to be hidden, and what Discord
shows as an emoji, a time, a channel or a command."""
_SPACE = re.compile(r"\s+")
_JOINER = "\u200d"
_JOINING = frozenset("\u200d\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""What belongs to the character before it: joiners, variants, colours of skin."""
_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""Of which a flag has two."""
_FIRST_TAG, _LAST_TAG = "\U000e0020", "\U000e007f"
"""What stands unseen behind the flag of a region."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_OPENING = _FENCE + r"\1"
_TILDES = re.compile(r" {0,3}~{3,}[ \t]*([\w+#.-]{0,30})[ \t]*")
_RINGS = re.compile(r"@(?=everyone|here|[!&]?\d{1,20}>)", re.IGNORECASE)
_INVITE = re.compile(
    r"<?(?:https?://)?(?:(?:www|ptb|canary)\.)?"
    r"(?:discord\.gg(?::\d{1,5})?(?:/+invite(?=/+[a-z0-9-]))?|discord(?:app)?\.com(?::\d{1,5})?/+invite)/+([a-z0-9-]{2,100})"
    r"(?:[/?#][^\s<>()\[\]]*)?>?",
    re.IGNORECASE,
)
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Categories of signs that show nothing."""
_HEADING = re.compile(r"#{1,3} |\*\*[^*]+\*\*:?\Z|-# |.{1,80}:\Z")
_KINDS = (
    ("table", re.compile(r"\s*\|")),
    ("quote", re.compile(r"\s*>")),
    ("list", re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])\s|\s+\S")),
    ("gap", re.compile(r"\s*\Z")),
)
"""Kinds of lines that belong together; a line of a list may be indented to go on with its point."""


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


def lay_out(text: str) -> Layout:
    """An answer as it is sent: in several messages, or as its beginning and a file if it is very long."""
    text = fit(text)
    cut = pieces(text)
    if len(cut) > MOST_MESSAGES:
        return Layout((f"{cut[0]}\n\nThat is the beginning; all of it is in the file.",), text.encode())
    return Layout(tuple(cut) or (NOTHING,))


def fit(text: str) -> str:
    """A text as it may leave, which changes nothing the second time.

    What looks like a credential is taken out, and so is what cannot be written. A mention rings nowhere, also where it
    is copied on: behind its `@` stands a sign that nobody sees. An invitation to another server is a link that shows
    no card. Blocks of code between tildes, which Discord does not know, stand between backticks.
    """
    text = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = without_credentials(text, HIDDEN)
    text = _INVITE.sub(r"<https://discord.gg/\1>", _RINGS.sub("@\u200b", text))
    text = without_credentials(text, HIDDEN)  # what an invitation hung on to may look like one by itself
    return _with_backticks(text) if "~~~" in text else text


def pieces(text: str) -> list[str]:
    """Cut a text into messages that Discord takes.

    A block of code, a table, a list, a quotation or a paragraph that fits into one message is not cut; what is longer is
    cut between lines, else between words, and never within a link or a character. A block of code that is cut goes on
    as one of the same kind, and one that was left open is closed; a line of a quotation goes on as one. Empty lines at
    a cut are left out, and so are spaces.
    """
    cut: list[str] = []
    here: list[str] = []
    fence = ""  # the line that opens the block of code in which we are
    for block in _blocks(text):
        if _size([*here, *block]) <= LONGEST - _CLOSING:
            here += block
            fence = reduce(_behind, block, fence)
            continue
        whole = _size(block) <= LONGEST - _CLOSING
        if here and (whole or _size(here) > LONGEST // 2):
            at = _before_heading(here)
            if whole and _size([*here[at:], *block]) > LONGEST - _CLOSING:
                at = len(here)
            cut.append(_closed(here[:at], ""))
            here = here[at:]
        for line in block:
            if here and _size([*here, line]) > LONGEST - _CLOSING:
                cut.append(_closed(here, fence))
                here = [fence] if fence else []
            here.append(line)
            fence = _behind(fence, line)
    cut.append(_closed(here, fence))
    return [piece for piece in cut if _says_something(piece)]


def units(text: str) -> int:
    """The size of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of a text by what belongs together."""
    number, fence = 0, ""

    def kind(line: str) -> str:
        nonlocal number, fence
        before, fence = fence, _behind(fence, line)
        if not before:
            number += bool(fence)
        if before or fence:
            return f"code {number}"
        return next((name for name, begins in _KINDS if begins.match(line)), "words")

    for _, lines in groupby(_lines(text), kind):
        yield [*lines]


def _lines(text: str) -> Iterator[str]:
    """The text's lines, long ones in parts."""
    for line in text.split("\n"):
        rest, again = line, _QUOTE if line.startswith(_QUOTE) else ""
        while (most := _fitting(rest)) < len(rest):
            at = _gap(rest, most)
            yield rest[:at].rstrip()
            rest = again + rest[at:].lstrip()
        yield rest


def _fitting(line: str) -> int:
    """So many characters of a line are no longer than a line may be."""
    if units(line[:_LONGEST_LINE]) == len(line[:_LONGEST_LINE]):
        return min(len(line), _LONGEST_LINE)
    size = 0
    for at, sign in enumerate(line):
        size += 1 + (sign > "\uffff")
        if size > _LONGEST_LINE:
            return at
    return len(line)


def _gap(line: str, most: int) -> int:
    """Where a line that is too long is cut: at its last space that is in no link, before a link, else between two signs."""
    near = line[: most + LONGEST]
    spans = [found.span() for kind in (_INVITE, _WHOLE) for found in kind.finditer(near)]
    for found in reversed([*_SPACE.finditer(line, 1, most)]):
        at = found.start()
        if at > most // 2 and not any(begin < at < end for begin, end in spans):
            return at
    for begin, end in spans:
        if len(_QUOTE) < begin <= most < end <= begin + most:
            return begin
    middle = range(most, most // 2, -1)
    return next((at for at in middle if not _belongs(line, at)), most)


def _belongs(line: str, at: int) -> bool:
    """Whether a character of a line is of one piece with the one before it."""
    before, after = line[at - 1], line[at]
    if after in _LETTERS:
        letters = line[max(at - LONGEST, 0) : at]
        return (len(letters) - len(letters.rstrip(_LETTERS))) % 2 > 0
    fence = before == after == "`"
    joined = before == _JOINER or after in _JOINING or _FIRST_TAG <= after <= _LAST_TAG
    return fence or joined or unicodedata.category(after).startswith("M")


def _behind(fence: str, line: str) -> str:
    """The opening line of the block of code in which the next line stands; empty outside of one."""
    *_, last = parts = line.split(_FENCE)
    if len(parts) % 2:
        return fence
    return "" if fence else _FENCE + (last.strip() if _KIND.fullmatch(last.strip()) else "")


def _before_heading(lines: list[str]) -> int:
    """After which line to cut: a heading goes with what stands below it."""
    at = len(lines)
    while at > 1 and not lines[at - 1].strip():
        at -= 1
    return at - 1 if at > 1 and _HEADING.match(lines[at - 1]) else len(lines)


def _with_backticks(text: str) -> str:
    """A text whose blocks of code between tildes stand between backticks, where that closes none of them too early."""
    lines, fence = text.split("\n"), ""
    opened, spoiled = -1, False
    for at, line in enumerate(lines):
        tildes = _TILDES.fullmatch(line)
        if opened >= 0 and tildes is not None and not tildes[1]:
            if not spoiled:
                lines[opened], lines[at] = _TILDES.sub(_OPENING, lines[opened]), _FENCE
            opened = -1
        elif opened < 0 and tildes is not None and not fence:
            opened, spoiled = at, False
        elif _FENCE in line:
            fence, spoiled = _behind(fence, line), True
    if opened >= 0 and not spoiled:
        lines[opened] = _TILDES.sub(_OPENING, lines[opened])
    return "\n".join(lines)


def _says_something(piece: str) -> bool:
    """Whether there is anything to see in a message."""
    return any(sign != "`" and unicodedata.category(sign) not in _UNSEEN for sign in piece)


def _size(lines: list[str]) -> int:
    return sum(map(units, lines)) + len(lines)


def _closed(lines: list[str], fence: str) -> str:
    text = "\n".join(lines).strip("\n").rstrip()
    return f"{text}\n{_FENCE}" if fence else text
