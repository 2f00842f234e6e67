"""What was said before, as a model may read it: the newest whole exchanges of a conversation, nothing foreign in them."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.chat import telling
from agent.guardrails.spoken import MAX_QUESTION, cleaned, fenced
from agent.incoming.attached import Attachment, described
from agent.incoming.wish import Heard, Wish
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from agent.types import Image, Message

WINDOW_MESSAGES = 50
WINDOW_CHARS = 48_000
MOST_HEARD = 4_000
"""Characters of one message of others that are shown."""
MOST_PICTURES = 32
"""Pictures that are kept of one conversation."""
ATTACHED = "(attached: "
"""How a line begins, below a question that is remembered, which says what came along."""
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
        source: The message in which it was asked; empty: it had none.
        reply_to: The same of the exchange that it went on from; empty: of none in particular.
        heard: What was said between the exchange before and this one, by anybody.
    """

    question: str
    answer: str
    caller: str
    outside: bool = False
    sources: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()
    private: bool = False
    source: str = ""
    reply_to: str = ""
    heard: tuple[Heard, ...] = ()

    @property
    def size(self) -> int:
        """Characters of it that are shown."""
        files = sum(len(file.text) for file in self.files)
        said = min(len(self.question), MAX_QUESTION) + min(len(self.answer), MAX_QUESTION)
        heard = sum(min(len(each.text), MOST_HEARD) for each in self.heard)
        return said + sum(map(len, self.sources)) + files + heard


_Album = OrderedDict[tuple[str, str], tuple[Image, bool, str]]
"""Pictures by who showed them and their names; each with whether it is private, and the message that it came with."""


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
        return _within([each for each in self._before(conversation) if private or not each.private])

    def led_to(
        self, conversation: str, wish: Wish, *, private: bool
    ) -> tuple[list[Exchange], tuple[Heard, ...]]:
        """What was said before a question: exchanges, oldest first, and what came between the last of them and it.

        That is a chain of replies from its root on, or the newest of the place behind what it began with.
        """
        chain, heard = self._chain(wish.before, private=private)
        if wish.chain:
            return _within(chain), heard
        newest = self.window(conversation, private=private)
        known = {each.source for each in newest if each.source}
        if newest and heard:
            newest[0], heard = replace(newest[0], heard=heard), ()
        return [*(each for each in chain if each.source not in known), *newest], heard

    def _chain(self, before: Sequence[Heard], *, private: bool) -> tuple[list[Exchange], tuple[Heard, ...]]:
        """What is remembered of a chain, with what is not as text in between, and what stands behind the last of it."""
        chain: list[Exchange] = []
        heard: list[Heard] = []
        for each in before:
            exchange = self.exchange(each.conversation, each.source)
            if exchange is None:
                heard.append(each)
            elif private or not exchange.private:
                chain.append(replace(exchange, heard=tuple(heard)))
                heard = []
        root = before[0] if before else None
        while chain and root is not None and chain[0].reply_to and not chain[0].heard:
            above = self.exchange(root.conversation, chain[0].reply_to)
            if above is None or (above.private and not private) or len(chain) >= WINDOW_MESSAGES // 2:
                break
            chain.insert(0, above)
        return chain, tuple(heard)

    def exchange(self, conversation: str, source: str) -> Exchange | None:
        """The exchange whose question stands in one message; None where it is not remembered."""
        if not source:
            return None
        for each in reversed(self._before(conversation)):
            if each.source == source:
                return each
        kept = self._turns.of(conversation, source) if self._turns is not None else None
        return exchange_of(kept) if kept is not None else None

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
        self,
        conversation: str,
        caller: str,
        attachments: Sequence[Attachment],
        *,
        private: bool,
        source: str = "",
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
            album[caller, each.name] = each.image, private, source
            while len(album) > MOST_PICTURES:
                self._drop(conversation, next(iter(album)))
        while self._seen > self._room:
            oldest = next(iter(self._pictures))
            self._drop(oldest, next(iter(self._pictures[oldest])))

    def pictures(self, conversation: str, caller: str, *, private: bool) -> dict[str, Image]:
        """The pictures of a conversation by name, the newest last; of several with one name the asker's own."""
        album = self._pictures.get(conversation) or _Album()
        fit = [(*key, image) for key, (image, secret, _) in album.items() if private or not secret]
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

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the exchange of one message, with its pictures; how many there were that stand nowhere else."""
        said = self._before(conversation)
        gone = [each for each in said if each.source == source]
        for each in gone:
            said.remove(each)
        for key, (_, _, came_with) in tuple(self._pictures.get(conversation, _Album()).items()):
            if came_with == source:
                self._drop(conversation, key)
        return sum(each.private or self._turns is None for each in gone)

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Put other words in the place of the question of one message."""
        said = self._before(conversation)
        for at, each in enumerate(said):
            if each.source == source:
                said[at] = replace(each, question=question)

    def conversations(self, place: str) -> list[str]:
        """The conversations of a place and of what is below it."""
        every = {*self._said, *self._pictures}
        return [each for each in every if each == place or each.startswith(f"{place}/")]

    def _before(self, conversation: str) -> deque[Exchange]:
        if (said := self._said.get(conversation)) is None:
            said = deque(maxlen=WINDOW_MESSAGES // 2)
            if self._turns is not None:
                newest = self._turns.newest(conversation, WINDOW_MESSAGES // 2)
                said.extend(map(exchange_of, newest))
                self._said[conversation] = said
        return said


def exchange_of(kept: Kept) -> Exchange:
    """What is written down of a question, as it is remembered."""
    return Exchange(
        kept.question,
        kept.answer,
        kept.caller,
        kept.outside,
        kept.sources,
        source=kept.source,
        reply_to=kept.reply_to,
    )


def with_names(question: str, wish: Wish) -> str:
    """A question as it is remembered, with what came along in a line each."""
    return "\n".join([question, *(f"{ATTACHED}{each.about})" for each in wish.attachments)]).strip()


def _within(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The newest of some exchanges that are no longer than a model is shown."""
    room = WINDOW_CHARS
    kept: list[Exchange] = []
    for exchange in reversed(exchanges):
        # Files are let go of before words are.
        fits = exchange if exchange.size <= room else replace(exchange, files=())
        room -= fits.size
        if room < 0:
            break
        kept.insert(0, fits)
    return kept


def told(heard: Sequence[Heard], mark: str) -> str:
    """What was said, and by whom, as a model reads it: material, whoever said it."""
    said = (f"{each.name} wrote: {cleaned(each.text, MOST_HEARD)}" for each in heard if each.text.strip())
    return "\n\n".join(fenced(each, mark) for each in said)


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
        if heard := told(each.heard, mark):
            question = f"{heard}\n\n{question}"
        if each.files:
            question = f"{question}\n\n{described(each.files, mark, file_chars)}"
        if listed := telling.numbered(each.sources):
            answer = f"{answer}\n\n(sources:\n{listed})"
        yield Message(role="user", text=question)
        yield Message(role="assistant", text=answer)
