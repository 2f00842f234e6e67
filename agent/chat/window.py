"""What was said before, as a model may read it: the newest whole exchanges of a conversation, nothing foreign in them."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.chat import telling
from agent.chat.attached import Attachment, described
from agent.chat.loop import fenced
from agent.chat.spoken import MAX_QUESTION, cleaned
from agent.chat.turns import Turns
from agent.types import Image, Message

WINDOW_MESSAGES = 50
WINDOW_CHARS = 48_000
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
        self._pictures: OrderedDict[tuple[str, str], tuple[Image, bool]] = OrderedDict()

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
        self._said.setdefault(conversation, deque(maxlen=WINDOW_MESSAGES // 2)).append(exchange)
        self._said.move_to_end(conversation)
        while len(self._said) > CONVERSATIONS:
            self._said.popitem(last=False)

    def see(self, conversation: str, attachments: Sequence[Attachment], *, private: bool) -> None:
        """Keep pictures, so that they can be asked about by their names."""
        for each in attachments:
            if each.image is not None:
                self._pictures.pop((conversation, each.name), None)
                self._pictures[conversation, each.name] = each.image, private
        while sum(len(image.data) for image, _ in self._pictures.values()) > self._room:
            self._pictures.popitem(last=False)

    def pictures(self, conversation: str, *, private: bool) -> dict[str, Image]:
        """The pictures of a conversation by name, the newest last."""
        return {
            name: image
            for (place, name), (image, secret) in self._pictures.items()
            if place == conversation and (private or not secret)
        }

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of a conversation, or of what one person said in it; how many exchanges were nowhere else.

        All its pictures go: whose they were is not kept.
        """
        said = self._before(conversation)
        kept = [each for each in said if caller is not None and each.caller != caller]
        gone = sum(each.private or self._turns is None for each in said if each not in kept)
        self._said.pop(conversation, None)
        if kept:
            self._said[conversation] = deque(kept, maxlen=said.maxlen)
        for key in [key for key in self._pictures if key[0] == conversation]:
            del self._pictures[key]
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
