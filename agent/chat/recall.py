"""What was said, wherever it stands: in memory, in the file of turns, among answers of tools, in a question under way.

It is kept, changed and let go of in all those places together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.chat.turn import Turn
from agent.chat.window import ATTACHED, Memory, exchange_of
from agent.guardrails.redaction import HIDDEN
from agent.guardrails.spoken import cleaned
from agent.incoming.wish import Wish
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from policies.credentials import without_credentials


class Recall:
    """Keeps and forgets exchanges."""

    def __init__(
        self, memory: Memory, turns: Turns | None, calls: Calls, *, hidden: Sequence[str], file_chars: int
    ) -> None:
        """Put it together.

        Args:
            memory: What models are shown of what was said.
            turns: The file; None: nothing is written down.
            calls: Keeps answers of tools that may be given again.
            hidden: The process's own keys, which are not kept.
            file_chars: So many characters of a file that came along are remembered.
        """
        self._memory = memory
        self._turns = turns
        self._calls = calls
        self._hidden = tuple(hidden)
        self._file_chars = file_chars
        self._under_way: list[Place] = []

    @contextmanager
    def under_way(self, place: Place) -> Iterator[None]:
        """Somebody's question is being answered; it counts among what can be let go of."""
        self._under_way.append(place)
        try:
            yield
        finally:
            self._under_way.remove(place)

    def keep(self, turn: Turn, kept: Kept, wish: Wish) -> None:
        """Remember an exchange; what was private is not written down, what was to be forgotten meanwhile not kept at all."""
        if turn.place.since != self._calls.forgotten(turn.place):
            return
        private = turn.needs.private
        most = self._file_chars
        files = tuple(replace(each, text=each.text[:most]) for each in wish.attachments if each.image is None)
        exchange = replace(exchange_of(kept), files=files, private=private)
        self._memory.remember(turn.place.conversation, exchange)
        if self._turns is not None and not private:
            self._turns.keep(turn.place, kept)

    def knows(self, conversation: str, source: str) -> bool:
        """Whether the question that stands in one message is remembered, with its answer."""
        return self._memory.exchange(conversation, source) is not None

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Remember other words as the question that stands in one message, since its author changed them."""
        exchange = self._memory.exchange(conversation, source)
        if exchange is None:
            return
        clean = without_credentials(cleaned(question), HIDDEN, self._hidden)
        files = [line for line in exchange.question.split("\n") if line.startswith(ATTACHED)]
        said = "\n".join([clean, *files]).strip()
        self._memory.amend(conversation, source, said)
        if self._turns is not None and not exchange.private:
            self._turns.amend(conversation, source, said)

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of what was said in a conversation, by one person or by all; how many questions that were.

        What is still being answered counts, and is not kept when it is done.

        Raises:
            TurnsProblem: Nothing could be let go of, or there may be traces left; it says which.
        """
        written = 0 if self._turns is None else self._turns.forget(conversation, caller)
        under_way = [
            each
            for each in self._under_way
            if each.conversation == conversation
            and caller in (None, each.caller)
            and each.since == self._calls.forgotten(each)
        ]
        self._calls.forget(conversation, caller)
        gone = written + len(under_way) + self._memory.forget(conversation, caller)
        if self._turns is not None:
            self._turns.scrub()
        return gone

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the question that stands in one message, and of its answer; how many those were.

        Raises:
            TurnsProblem: Nothing could be let go of, or there may be traces left; it says which.
        """
        written = 0 if self._turns is None else self._turns.forget_one(conversation, source)
        gone = written + self._memory.forget_one(conversation, source)
        if gone and self._turns is not None:
            self._turns.scrub()
        return gone

    def forget_place(self, place: str) -> int:
        """Let go of all that was said in a place and below it, by its id; how many questions that were.

        Raises:
            TurnsProblem: As for `forget`.
        """
        written = [] if self._turns is None else self._turns.conversations(place)
        under_way = [
            each.conversation
            for each in self._under_way
            if each.conversation == place or each.conversation.startswith(f"{place}/")
        ]
        every = dict.fromkeys([*written, *self._memory.conversations(place), *under_way])
        return sum(map(self.forget, every))
