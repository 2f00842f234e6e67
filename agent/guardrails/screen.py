"""Looks through an answer before people see it, while it streams: no keys, nothing hidden, nothing that rings.

Nor are the bot's own instructions quoted at length. What is shown lags behind what came by the last word, and by the
words in a row that also stand in the instructions, fewer than would be left out. A word without end is held for
`LONGEST_WORD` characters.
"""

import re
from collections.abc import Sequence

from agent.guardrails.redaction import HIDDEN
from agent.guardrails.spoken import without_mentions
from policies.credentials import taken_out

QUOTED = "(my own instructions are left out here)"
LONGEST_WORD = 4_000
_TAIL = 1_000
"""Characters of such a word that are still held when the rest of it goes."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""What nobody sees, or what turns the order of a line round."""
_JOINERS = "\u200c\u200d"
"""Scripts and emoji need them behind a sign of theirs, one at a time."""
_JOINER = re.compile(f"[{_JOINERS}]")
_WORD_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
"""ASCII without a space: keys and mentions are made of it, other scripts need not wait."""
_LONGEST_GAP = 200
"""Characters between two words of a quotation."""
_KEY_BEGINS = re.compile(r"-----BEGIN(?: [A-Z]{1,12}){0,2} PRIVATE KEY(?: BLOCK)?-----")
_KEY_MAY_BEGIN = re.compile(r"-{1,5}\Z|-----[A-Z ]{1,60}-{0,4}\Z")
"""The first part of such a line."""
_KEY_ENDS = re.compile(
    r"^[A-Z][\w-]{1,20}: [^\n]*(?:\n|\Z)|(?P<end>-----END(?: [A-Z]{1,12}){0,2} PRIVATE KEY(?: BLOCK)?-----)"
    r"|(?P<text>[ \t][a-z]{2,15}[ \t]|[^\x00-\x7f]{2})",
    re.MULTILINE,
)
"""Fields above a key, which may hold words; its last line; or what stands in no key: a word between spaces."""
_LONGEST_LINE = 300
"""Characters of a line of a key that are held to look for its end."""
_WORD = re.compile(r"\w+")
_MARK = re.compile(r"</?outside-[0-9a-f]{16}>?")
"""What stands around text from outside, for models alone."""


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
        self._keys = _PrivateKeys()
        self._quotes = _Quotes(instructions, quoted_words)
        self._held = ""
        self._last = ""
        """The last sign that was let through: what a joiner stands behind."""
        self._found: dict[str, None] = {}

    @property
    def found(self) -> Sequence[str]:
        """What was taken out so far, each kind once, in words for the audit."""
        return tuple(self._found)

    def feed(self, piece: str) -> str:
        """What may be shown of what came so far."""
        text = self._held + self._keys.feed(self._seen(piece))
        at = len(text.rstrip(_WORD_SIGNS))
        if len(text) - at > LONGEST_WORD:
            text = self._without_secrets(text)
            at = max(at, len(text) - _TAIL)
        self._held = text[at:]
        return self._shown(text[:at])

    def end(self) -> str:
        """The rest."""
        rest, self._held = self._held + self._keys.end(), ""
        return self._shown(rest) + self._quotes.end()

    def _shown(self, text: str) -> str:
        if self._keys.found:
            self._found["a private key"] = None
        if not text:
            return ""
        quoted = self._quotes.feed(without_mentions(self._without_secrets(_MARK.sub("", text))))
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

    def _without_secrets(self, text: str) -> str:
        text, found = taken_out(text, HIDDEN, self._secrets)
        self._found.update(dict.fromkeys(found))
        return text


class _PrivateKeys:
    """Takes out private keys, which go over many lines: each is known by its first one until its end has come."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self.found = False

    def feed(self, piece: str) -> str:
        """What is in no key; what may begin one is held."""
        text = self._held + piece
        if not self._inside and "-" not in text:
            return text
        shown: list[str] = []
        while True:
            if self._inside:
                end = next((each for each in _KEY_ENDS.finditer(text) if each.lastgroup), None)
                if end is None:
                    self._held = text[text.rfind("\n") + 1 :][-_LONGEST_LINE:]
                    break
                self._inside, text = False, text[end.end() if end["end"] else end.start() :]
            begin = _KEY_BEGINS.search(text)
            if begin is None:
                may = _KEY_MAY_BEGIN.search(text)
                at = may.start() if may else len(text)
                shown.append(text[:at])
                self._held = text[at:]
                break
            shown += [text[: begin.start()], HIDDEN]
            self.found = self._inside = True
            text = text[begin.end() :]
        return "".join(shown)

    def end(self) -> str:
        """What was held, unless it is within a key."""
        rest, self._held = self._held, ""
        return "" if self._inside else rest


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
        self._longest = max(map(len, self._words), default=0)
        self._word = ""
        """The beginning of a word that may go on."""
        self._within = False
        """Such a word is longer than any of theirs, and was let through as far as it has come."""
        self.found = False

    def feed(self, text: str) -> str:
        """What may be shown; a row that may become a quotation is held."""
        if len(self._words) < self._most:
            return text
        text, self._word = self._word + text, ""
        shown, at = [], 0
        if self._within and (goes_on := _WORD.match(text)):
            at = goes_on.end()
            shown.append(text[:at])
        self._within = self._within and at == len(text)
        for found in _WORD.finditer(text, at):
            self._gap += text[at : found.start()]
            at = found.end()
            if at == len(text) and len(found[0]) <= self._longest:
                self._word = found[0]
                break
            self._within = at == len(text)
            if len(self._gap) > _LONGEST_GAP:
                shown.append(self._let_go())
            shown.append(self._take(found[0]))
        self._gap += text[at:]
        if not self._count or len(self._gap) > _LONGEST_GAP:
            shown.append(self._let_go())
        return "".join(shown)

    def end(self) -> str:
        """What was held."""
        word, self._word = self._word, ""
        return (self._take(word) if word else "") + self._let_go()

    def _let_go(self) -> str:
        rest = "".join(self._row) + self._gap
        self._row, self._ends, self._count, self._gap = [], set(), 0, ""
        return rest

    def _take(self, word: str) -> str:
        places = self._places.get(word.casefold(), ())
        goes_on = {at for at in places if at - 1 in self._ends}
        if not goes_on:
            before = self._let_go()
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
