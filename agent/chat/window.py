"""What was said before, as a model may read it: the newest whole exchanges of a conversation, nothing foreign in them."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.chat import telling
from agent.guardrails.spoken import MAX_QUESTION, cleaned, fenced
from agent.incoming.attached import Attachment, described
from agent.records.turns import Turns
from agent.types import Image, Message

WINDOW_MESSAGES = 50
WINDOW_CHARS = 48_000
MOST_PICTURES = 32
"""Pictures that are kept of one conversation."""
CONVERSATIONS = 500
"""Conversations that are remembered; the one not heard of for longest goes first."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer.

    Attributes:
        caller: Who asked, as `surface:name`.
        outside: Text from outside had a part in it.
        sources: Addresses that were shown below the answer.
        files: Texts that came along with the question; only as long as the process runs.
        private: It is shown to no model elsewhere.
    """

    question: str
    answer: str
    caller: str
    outside: bool = False
    sources: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()
    private: bool = False

    @property
    def size(self) -> int:
        """Characters of it that are shown."""
        files = sum(len(file.text) for file in self.files)
        said = min(len(self.question), MAX_QUESTION) + min(len(self.answer), MAX_QUESTION)
        return said + sum(map(len, self.sources)) + files


_Album = OrderedDict[tuple[str, str], tuple[Image, bool]]
"""Pictures by who showed them and their names; each with whether it is private."""


class Memory:
    """The exchanges of all conversations, and the pictures that were last shown in them."""

    def __init__(self, turns: Turns | None, picture_bytes: int) -> None:
        """Begin with nothing.

        Args:
            turns: Where exchanges are read that an earlier process had; None: nowhere.
            picture_bytes: So much of pictures is kept, in all conversations together.
        """
        self._turns = turns
        self._room = picture_bytes
        self._said: OrderedDict[str, deque[Exchange]] = OrderedDict()
        self._pictures: OrderedDict[str, _Album] = OrderedDict()
        self._seen = 0
        """Bytes of all of them."""

    def window(self, conversation: str, *, private: bool) -> list[Exchange]:
        """The newest exchanges, oldest first, within both bounds. What was private is there for private ones only."""
        room = WINDOW_CHARS
        kept: list[Exchange] = []
        for exchange in reversed(self._before(conversation)):
            if exchange.private and not private:
                continue
            # Files are let go of before words are.
            fits = exchange if exchange.size <= room else replace(exchange, files=())
            room -= fits.size
            if room < 0:
                break
            kept.insert(0, fits)
        return kept

    def remember(self, conversation: str, exchange: Exchange) -> None:
        """One more exchange."""
        said = self._said.setdefault(conversation, deque(maxlen=WINDOW_MESSAGES // 2))
        said.append(exchange)
        # The text of files that no window reaches back to is let go of: together they are large.
        windows = [self.window(conversation, private=private) for private in (True, False)]
        reached = {id(each) for window in windows for each in window if each.files}
        for at, each in enumerate(said):
            if each.files and id(each) not in reached:
                said[at] = replace(each, files=())
        self._said.move_to_end(conversation)
        while len(self._said) > CONVERSATIONS:
            self._said.popitem(last=False)

    def see(
        self, conversation: str, caller: str, attachments: Sequence[Attachment], *, private: bool
    ) -> None:
        """Keep somebody's pictures, so that they can be asked about by their names."""
        for each in attachments:
            if each.image is None:
                continue
            album = self._pictures.setdefault(conversation, OrderedDict())
            self._pictures.move_to_end(conversation)
            self._seen += len(each.image.data)
            if (before := album.pop((caller, each.name), None)) is not None:
                self._seen -= len(before[0].data)
            album[caller, each.name] = each.image, private
            while len(album) > MOST_PICTURES:
                self._drop(conversation, next(iter(album)))
        while self._seen > self._room:
            oldest = next(iter(self._pictures))
            self._drop(oldest, next(iter(self._pictures[oldest])))

    def pictures(self, conversation: str, caller: str, *, private: bool) -> dict[str, Image]:
        """The pictures of a conversation by name, the newest last; of several with one name the asker's own."""
        album = self._pictures.get(conversation) or _Album()
        fit = [(*key, image) for key, (image, secret) in album.items() if private or not secret]
        found = {name: image for _, name, image in fit}
        return found | {name: image for whose, name, image in fit if whose == caller}

    def _drop(self, conversation: str, key: tuple[str, str]) -> None:
        album = self._pictures[conversation]
        self._seen -= len(album.pop(key)[0].data)
        if not album:
            del self._pictures[conversation]

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of a conversation, or of what one person said and showed in it; how many exchanges were nowhere else."""
        said = self._before(conversation)
        kept = [each for each in said if caller is not None and each.caller != caller]
        gone = sum(each.private or self._turns is None for each in said if each not in kept)
        self._said.pop(conversation, None)
        if kept:
            self._said[conversation] = deque(kept, maxlen=said.maxlen)
        for whose, name in tuple(self._pictures.get(conversation, ())):
            if caller in (None, whose):
                self._drop(conversation, (whose, name))
        return gone

    def _before(self, conversation: str) -> deque[Exchange]:
        if (said := self._said.get(conversation)) is None:
            said = deque(maxlen=WINDOW_MESSAGES // 2)
            if self._turns is not None:
                newest = self._turns.newest(conversation, WINDOW_MESSAGES // 2)
                said.extend(
                    Exchange(kept.question, kept.answer, kept.caller, kept.outside, kept.sources)
                    for kept in newest
                )
                self._said[conversation] = said
        return said


def shown(window: Sequence[Exchange], caller: str, mark: str, file_chars: int) -> Iterator[Message]:
    """Earlier exchanges as a model reads them: others' questions between marks, sources where they can be asked for.

    Args:
        window: The exchanges.
        caller: Who asks now; what others said is text from outside.
        mark: That of the turn.
        file_chars: Characters of a file that are shown.
    """
    for each in window:
        said, answer = cleaned(each.question), cleaned(each.answer)
        if not (said.strip() and answer.strip()):
            continue  # vendors take no empty message, and half an exchange tells nothing
        mine = each.caller == caller
        question = said if mine else f"Somebody else said:\n{fenced(said, mark)}"
        if each.files:
            question = f"{question}\n\n{described(each.files, mark, file_chars)}"
        if listed := telling.numbered(each.sources):
            answer = f"{answer}\n\n(sources:\n{listed})"
        yield Message(role="user", text=question)
        yield Message(role="assistant", text=answer)
