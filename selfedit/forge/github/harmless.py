"""What others wrote, so that GitHub shows it and nothing more: pure.

Markdown there does things: it tells people who are mentioned, closes issues that are named behind certain words, loads
pictures, hides comments and takes HTML. In prose, signs of Markdown are escaped, and each word with a sign to which GitHub
gives a meaning of its own stands in a code span, where it has none.
"""

import re
import unicodedata

from selfedit.words import unlinked

_GONE = ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")
"""Unicode categories that are not shown, or change how what stands beside them is shown."""
_MARKS = 4
"""So many marks may stand on one letter."""
_ACTIVE = re.compile(
    r"[@#$]|://|:\w|\w:/|^www\.|\bwww\.|[A-Za-z][A-Za-z0-9]*-\d|[0-9a-f]{7,}", re.IGNORECASE | re.ASCII
)
"""Words to which GitHub gives a meaning: mentions, references (its own and those of other trackers), addresses, commits,
emoji, formulas."""
_ESCAPED = re.compile(r"([\\`*_{}\[\]<>()&|~!^\"])")
_AT_START = re.compile(r"^([-+=#:>])|^(\d{1,9})([.)])")
_EXTRA = "…"


def clean(text: str) -> str:
    """Text without what cannot be seen: control, direction and zero-width signs, and letters under heaps of marks."""
    kept, marks = [], 0
    for sign in unicodedata.normalize(
        "NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    ):
        category = unicodedata.category(sign)
        marks = marks + 1 if category.startswith("M") else 0
        if sign == "\n" or category == "Zs":
            kept.append("\n" if sign == "\n" else " ")
        elif category not in _GONE and marks <= _MARKS and not _invisible(sign):
            kept.append(sign)
    return "".join(kept)


def line(text: str, limit: int = 200) -> str:
    """Text as one line of at most `limit` signs, for where no Markdown is read: mentions and references stand apart."""
    flat = " ".join(clean(text).split())
    flat = re.sub(
        r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", r"(\1)", unlinked(flat), flags=re.IGNORECASE
    )
    return short(flat, limit)


def message(text: str, limit: int = 20_000) -> str:
    """The text of a commit, line by line as `line` makes them; GitHub reads closing words out of such."""
    return "\n".join(line(one, 1000) for one in clean(text).splitlines())[:limit]


def code(text: str, limit: int = 200) -> str:
    """Text as a code span, in one line; also for cells of a table."""
    flat = short(" ".join(clean(text).split()), limit).replace("|", "¦")
    if not flat:
        return "` `"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    room = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{room}{flat}{room}{fence}"


def prose(text: str, limit: int = 1000) -> str:
    """Text as one line of prose; also for cells of a table."""
    words = short(" ".join(clean(text).split()), limit).split(" ")
    said = " ".join(
        code(word, limit) if _ACTIVE.search(word) else _ESCAPED.sub(r"\\\1", word) for word in words
    )
    return _AT_START.sub(lambda found: rf"\{found[1]}" if found[1] else rf"{found[2]}\{found[3]}", said)


def quote(text: str, lines: int = 40, limit: int = 500) -> str:
    """Text as a quotation, line by line."""
    every = [one for one in clean(text).splitlines() if one.strip()]
    shown = [f"> {prose(one, limit)}" for one in every[:lines]]
    more = [f"> {_EXTRA} and {len(every) - lines} more lines"] if len(every) > lines else []
    return "\n>\n".join([*shown, *more]) or "> (nothing)"


def block(text: str, limit: int = 4000) -> str:
    """Text as a block of code, as it is."""
    shown = short(clean(text), limit)
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def short(text: str, limit: int) -> str:
    """The beginning of a text, with a sign that it is one where it is."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + _EXTRA


def _invisible(sign: str) -> bool:
    """Letters and marks that are drawn as nothing (fillers of Hangul and Khmer, variation selectors)."""
    return (
        sign in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"
        or "\ufe00" <= sign <= "\ufe0f"
        or ("\U000e0100" <= sign <= "\U000e01ef")
    )
