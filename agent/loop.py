"""The chat turn: a conversation's window, one question, an answer in pieces."""

from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from agent.ports import ModelProvider, ProviderFailed
from agent.router import Keys, missing, open_model
from agent.types import Message

WINDOW_MESSAGES = 50
WINDOW_CHARS = 48_000
CONVERSATIONS = 500
"""Conversations that are remembered; the one not heard of for longest goes first."""
MAX_QUESTION = 16_000
"""Characters of one message that a model is shown."""
ANSWER_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class _Exchange:
    question: str
    answer: str


class Brain:
    """Answers chat with a language model and remembers, in memory alone, what was said.

    Only whole exchanges are remembered: after an answer that failed or that nobody waited for, the
    conversation stands as before.
    """

    def __init__(
        self,
        provider: ModelProvider | None,
        *,
        missing: str | None = None,
        failed: type[Exception] = ProviderFailed,
    ) -> None:
        """Put a brain together.

        Args:
            provider: The model; None where there is none.
            missing: The sentence that says what to set where there is none.
            failed: What is raised, with a sentence for people, when no model answers.
        """
        self._provider = provider
        self._missing = missing
        self._failed = failed
        self._said: OrderedDict[str, deque[_Exchange]] = OrderedDict()

    @classmethod
    def of(cls, keys: Keys, *, failed: type[Exception] = ProviderFailed) -> Self:
        """The brain that the settings give."""
        return cls(open_model(keys), missing=missing(keys), failed=failed)

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""
        return None if self._provider is not None else self._missing or "No language model is set up."

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncGenerator[str, None]:
        """Stream a model's answer to `text`, with the window of the conversation before it.

        Raises:
            Exception: The class given as `failed`, when no model answered; its text is for people.
        """
        if self._provider is None:
            raise self._failed(self.missing)
        question = text[:MAX_QUESTION]
        messages = [*self._window(conversation), Message(role="user", text=question)]
        if instructions:
            messages.insert(0, Message(role="system", text=instructions))
        heard: list[str] = []
        try:
            async with aclosing(self._provider.stream(messages, ANSWER_TOKENS)) as pieces:
                async for piece in pieces:
                    heard.append(piece)
                    yield piece
        except ProviderFailed as failure:
            raise self._failed(str(failure)) from None
        answer = "".join(heard)
        if not answer.strip():
            raise self._failed("The model gave an empty answer; ask again, or in other words.")
        self._remember(conversation, _Exchange(question, answer))

    def forget(self, conversation: str) -> None:
        """Let go of all that was said in a conversation."""
        self._said.pop(conversation, None)

    async def close(self) -> None:
        """Let go of connections."""
        if self._provider is not None:
            await self._provider.close()

    def _window(self, conversation: str) -> list[Message]:
        """The newest exchanges, oldest first, within both bounds."""
        room = WINDOW_CHARS
        kept: list[Message] = []
        for exchange in reversed(self._said.get(conversation, ())):
            room -= len(exchange.question) + len(exchange.answer)
            if room < 0:
                break
            kept[:0] = [
                Message(role="user", text=exchange.question),
                Message(role="assistant", text=exchange.answer),
            ]
        return kept

    def _remember(self, conversation: str, exchange: _Exchange) -> None:
        said = self._said.setdefault(conversation, deque(maxlen=WINDOW_MESSAGES // 2))
        said.append(exchange)
        self._said.move_to_end(conversation)
        while len(self._said) > CONVERSATIONS:
            self._said.popitem(last=False)
