"""Looks through an answer before people see it, while it streams: no keys, nothing hidden, nothing that rings.

Nor are the bot's own instructions quoted at length. What is shown lags behind what came by the last word, and by the words in a row that also stand in the instructions,
fewer than would be left out. A word without end is held for `LONGEST_WORD` characters.
"""

import re
from collections.abc import Sequence

from agent.chat.spoken import without_mentions
from agent.types import Message
from policies.credentials import CREDENTIALS

HIDDEN = "(hidden)"
QUOTED = "(my own instructions are left out here)"
LONGEST_WORD = 4_000
_TAIL = 1_000
"""Characters of such a word that are still held when the rest of it goes."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""What nobody sees, or what turns the order of a line round."""
_JOINERS = "\u200c\u200d"
"""Scripts and emoji need them behind a sign of theirs, one at a time."""
_JOINER = re.compile(f"[{_JOINERS}]")
_WORD_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
"""ASCII without a space: keys and mentions are made of it, other scripts need not wait."""
_LONGEST_GAP = 200
"""Characters between two words of a quotation."""
_KEY_BEGINS = re.compile(r"-----BEGIN(?: [A-Z]+)* PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END(?: [A-Z]+)* PRIVATE KEY-----")
_LONGEST_MARK = 40
"""Characters of such a line."""
_MAYBE_KEY = re.compile(r"[\w.-]{16}")
_WORD = re.compile(r"\w+")


class Screen:
    """One answer on its way out, in pieces. What was taken out is told by `found`."""

    def __init__(self, secrets: Sequence[str], instructions: str, quoted_words: int) -> None:
        """Begin an answer.

        Args:
            secrets: The process's own keys, which no answer holds.
            instructions: What the model was told to be like.
            quoted_words: So many words of that in a row are left out.
        """
        self._secrets = secrets
        self._quotes = _Quotes(instructions, quoted_words)
        self._held = ""
        self._last = ""
        """The last sign that was let through: what a joiner stands behind."""
        self._in_key = False
        self._found: dict[str, None] = {}

    @property
    def found(self) -> Sequence[str]:
        """What was taken out so far, each kind once, in words for the audit."""
        return tuple(self._found)

    def feed(self, piece: str) -> str:
        """What may be shown of what came so far."""
        text = self._held + self._seen(piece)
        if self._in_key:
            end = _KEY_ENDS.search(text)
            if end is None:
                self._held = text[-_LONGEST_MARK:]
                return ""
            self._in_key, text = False, text[end.end() :]
        at = len(text.rstrip(_WORD_SIGNS))
        if "-----BEGIN" in text[-_LONGEST_MARK:]:  # its words belong together
            at = min(at, text.rindex("-----BEGIN"))
        if len(text) - at > LONGEST_WORD:
            text = self._without_secrets(text)
            at = max(at, len(text) - _TAIL)
        self._held = text[at:]
        return self._shown(text[:at])

    def end(self) -> str:
        """The rest."""
        rest, self._held = self._held, ""
        return self._shown(rest) + self._quotes.end()

    def _shown(self, text: str) -> str:
        if not text:
            return ""
        quoted = self._quotes.feed(without_mentions(self._without_secrets(self._without_private_key(text))))
        if self._quotes.found:
            self._found["its own instructions"] = None
        return quoted

    def _seen(self, piece: str) -> str:
        if piece.isascii() and piece.isprintable():
            self._last = piece[-1:] or self._last
            return piece

        def joins(found: re.Match[str]) -> str:
            before = text[found.start() - 1] if found.start() else self._last
            return "" if before.isascii() or before in _JOINERS else found[0]

        text = _UNSEEN.sub("", piece)
        seen = _JOINER.sub(joins, text)
        if len(seen) != len(piece):
            self._found["hidden characters"] = None
        self._last = seen[-1:] or self._last
        return seen

    def _without_private_key(self, text: str) -> str:
        """A private key goes over many lines, so it is known by its beginning until its end has come."""
        kept: list[str] = []
        while text:
            if self._in_key:
                end = _KEY_ENDS.search(text)
                if end is None:
                    return "".join(kept)
                self._in_key, text = False, text[end.end() :]
            begin = _KEY_BEGINS.search(text)
            if begin is None:
                kept.append(text)
                break
            kept += [text[: begin.start()], HIDDEN]
            self._found["a private key"] = None
            self._in_key, text = True, text[begin.end() :]
        return "".join(kept)

    def _without_secrets(self, text: str) -> str:
        text, found = without_secrets(text, self._secrets)
        self._found.update(dict.fromkeys(found))
        return text


def without_secrets(text: str, own: Sequence[str]) -> tuple[str, Sequence[str]]:
    """A text without keys, and which kinds of them there were.

    Args:
        text: Anything.
        own: Keys that are known, whatever they look like.
    """
    found = []
    for secret in own:
        if secret in text:
            found.append("a key of this bot")
            text = text.replace(secret, HIDDEN)
    if _MAYBE_KEY.search(text) is None:
        return text, found
    for what, pattern in CREDENTIALS:
        without = pattern.sub(HIDDEN, text)
        if without != text:
            found.append(what)
            text = without
    return text, found


def storable(message: Message, own: Sequence[str]) -> Message:
    """A message as it may be written down: no keys, and no pictures, which would make a file grow without end."""
    text, found = without_secrets(message.text, own)
    given = [without_secrets(call.arguments, own) for call in message.calls]
    calls = tuple(
        call.model_copy(update={"arguments": clean})
        for call, (clean, _) in zip(message.calls, given, strict=True)
    )
    # The vendor's own record holds the same words; it cannot be changed without breaking its signature.
    spoilt = bool(found) or any(kinds for _, kinds in given) or without_secrets(message.native, own)[1]
    native = "" if spoilt else message.native
    return message.model_copy(update={"text": text, "calls": calls, "native": native, "images": ()})


class _Quotes:
    """Finds words in a row that stand in a text, however they are spaced, written and punctuated."""

    def __init__(self, text: str, words: int) -> None:
        self._words = [word.casefold() for word in _WORD.findall(text)]
        self._most = words
        self._places: dict[str, list[int]] = {}
        for at, word in enumerate(self._words):
            self._places.setdefault(word, []).append(at)
        self._row: list[str] = []
        """What is held: the words in a row so far, with what stands between them."""
        self._ends: set[int] = set()
        """Where in the text the row may end."""
        self._count = 0
        self._gap = ""
        """What came after the last word."""
        self.found = False

    def feed(self, text: str) -> str:
        """What may be shown; a row that may become a quotation is held."""
        if len(self._words) < self._most:
            return text
        shown, at = [], 0
        for found in _WORD.finditer(text):
            self._gap += text[at : found.start()]
            at = found.end()
            shown.append(self._take(found[0]))
        self._gap += text[at:]
        if not self._count or len(self._gap) > _LONGEST_GAP:
            shown.append(self.end())
        return "".join(shown)

    def end(self) -> str:
        """What was held."""
        rest = "".join(self._row) + self._gap
        self._row, self._ends, self._count, self._gap = [], set(), 0, ""
        return rest

    def _take(self, word: str) -> str:
        places = self._places.get(word.casefold(), ())
        goes_on = {at for at in places if at - 1 in self._ends}
        if not goes_on:
            before = self.end()
            if not places:
                return before + word
            self._ends, self._count, self._row = set(places), 1, [word]
            return before
        self._ends, self._count = goes_on, self._count + 1
        if self._count < self._most:
            self._row += [self._gap, word]
        elif self._count == self._most:
            self._row, self.found = [], True  # a quotation: what was held of it is let go of
        self._gap = ""
        return QUOTED if self._count == self._most else ""
