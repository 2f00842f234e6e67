"""A model for chat that says what it was told to say."""

from collections.abc import AsyncIterator
from typing import Self

from agent.calling.toolbox import Toolbox
from agent.incoming.wish import PLAIN, Wish
from bot.feature import ModelFailed


class ScriptedBrain:
    """Satisfies `bot.feature.Brain` and `bot.theseus.Mind`; an answer that is None fails."""

    def __init__(self, missing: str | None = None, answers: list[list[str] | None] | None = None) -> None:
        self._missing = missing
        self._answers = list(answers or [])
        self.callers: list[str] = []
        self.forgotten: list[tuple[str, str]] = []
        self.amended: list[tuple[str, str, str]] = []
        self.refusal = ""
        self.models: list[str] = []
        self.tools: list[str] = []
        self.wishes: list[Wish] = []
        self.asked: list[tuple[str, str, str]] = []

    @property
    def missing(self) -> str | None:
        """Why there is no model."""
        return self._missing

    def voice(self, _toolbox: Toolbox, caller: str, _conversation: str, wish: Wish = PLAIN) -> Self:
        """Itself, for whoever asks."""
        self.callers.append(caller)
        self.wishes.append(wish)
        return self

    async def inform(self, name: str, rest: str, _toolbox: Toolbox, _caller: str, _conversation: str) -> str:
        """The command, said back."""
        return f"{name} {rest}".strip()

    def usable(self, _toolbox: Toolbox, _caller: str, _conversation: str) -> list[str]:
        """The tools that the test gave it."""
        return self.tools

    def knows(self, conversation: str, source: str) -> bool:
        """It remembers nothing."""
        del conversation, source
        return False

    def forget_one(self, conversation: str, source: str) -> int:
        """Note what is to be forgotten."""
        self.forgotten.append((conversation, source))
        return 1

    def forget_place(self, place: str) -> int:
        """Note what is to be forgotten."""
        self.forgotten.append((place, ""))
        return 1

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Note what a question says now."""
        self.amended.append((conversation, source, question))

    def refuses(self, caller: str, conversation: str) -> str:
        """What the test says why nothing is asked."""
        del caller, conversation
        return self.refusal

    def routes(self) -> str:
        """No model was asked."""
        return "no model was asked"

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """The next answer, piece by piece."""
        self.asked.append((conversation, text, instructions))
        pieces = self._answers.pop(0)
        if pieces is None:
            raise ModelFailed("the model is asleep; wake it")
        for piece in pieces:
            yield piece
