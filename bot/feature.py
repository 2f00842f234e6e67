"""What a live feature may import: the shapes through which it meets people and the rest of Theseus.

A feature is a folder under `bot/live/` whose `feature.py` has a function `setup(registry)`. It keeps no
state: what it needs is in the `Turn` it is handed, and what it does is return text. Example:

    from bot.feature import Registry, Turn

    async def shout(turn: Turn) -> str:
        return turn.text.upper()

    def setup(registry: Registry) -> None:
        registry.command("shout", shout, usage="shout TEXT", summary="says it louder")
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command as people see it in help; `live` tells whether proposals may change it."""

    name: str
    usage: str
    summary: str
    live: bool


class Brain(Protocol):
    """The kernel's way to a language model, for the chat feature."""

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""

    def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """Stream a model's answer to `text`, the conversation's memory included.

        The conversation is that of the turn: naming another one changes nothing.

        Raises:
            ModelFailed: No provider could answer; its text is for people.
        """


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. A model is shown it without a feature's doing."""

    name: str
    kind: str
    """`text/plain`, or a picture's kind as `image/png`."""
    size: int
    """Bytes."""
    text: str = ""
    """For a text, what stands in it, written by anybody; of a picture a feature gets no more than its name."""


class ModelFailed(Exception):
    """No model answered. Its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, and what a feature may use to answer it."""

    text: str
    """What was said; for a command, what follows its name."""
    author: str
    """Who said it, as `surface:name`."""
    conversation: str
    """Stable id of the place where it was said."""
    commands: Sequence[CommandInfo] = ()
    """Every command that works here and now."""
    brain: Brain | None = None
    prompts: dict[str, str] = field(default_factory=dict)
    """Text files of `agent/live/prompts/` by name without ending."""
    random: Callable[[], float] = lambda: 0.5
    """A number in [0, 1), handed in so that a feature needs no state of its own."""
    now: float = 0.0
    """Seconds since the epoch."""
    attachments: Sequence[Attachment] = ()
    """What came along with the message."""
    show: Callable[[str], None] = lambda _piece: None
    """Shows the next piece of an answer that is still being written. What is returned in the end takes its place."""


Reply = str
Respond = Callable[[Turn], Awaitable[Reply]]


class Registry(Protocol):
    """Where a feature says what it answers to. Taking a name twice refuses the whole generation."""

    def command(self, name: str, respond: Respond, *, usage: str, summary: str) -> None:
        """Answer `/name ...`."""

    def chat(self, respond: Respond) -> None:
        """Answer every line that is no command. One feature only."""
