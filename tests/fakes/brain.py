"""A model for chat that says what it was told to say."""

from collections.abc import AsyncIterator

from bot.feature import ModelFailed


class ScriptedBrain:
    """Satisfies `bot.feature.Brain`; an answer that is None fails."""

    def __init__(self, missing: str | None = None, answers: list[list[str] | None] | None = None) -> None:
        self._missing = missing
        self._answers = list(answers or [])
        self.asked: list[tuple[str, str, str]] = []

    @property
    def missing(self) -> str | None:
        """Why there is no model."""
        return self._missing

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """The next answer, piece by piece."""
        self.asked.append((conversation, text, instructions))
        pieces = self._answers.pop(0)
        if pieces is None:
            raise ModelFailed("the model is asleep; wake it")
        for piece in pieces:
            yield piece
