"""What somebody wants of an answer, beside the words: handed from the surface to the brain, past live code."""

from dataclasses import dataclass

from agent.incoming.attached import Attachment
from agent.types import Image


@dataclass(frozen=True, slots=True)
class Wish:
    """How one question is to be answered.

    Attributes:
        model: The model to ask, as `vendor/model` or `model`; empty: whichever fits.
        tools: `auto`, `off`, `force` (call some tool first), or the name of the tool to call first.
        combine: Two models answer, without tools, and what they say is put together.
        private: What is said stays on this machine: no model elsewhere hears of it, now or later, and no tool that
            reaches the net is at hand.
        attachments: What came along with the message.
    """

    model: str = ""
    tools: str = "auto"
    combine: bool = False
    private: bool = False
    attachments: tuple[Attachment, ...] = ()

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures among what came along."""
        return tuple(each.image for each in self.attachments if each.image is not None)

    @property
    def contradiction(self) -> str:
        """Why both cannot be had, as a sentence; empty where all of it can."""
        if self.combine and self.tools not in ("auto", "off"):
            return "Two models that answer side by side use no tools; leave out one of the two wishes."
        return ""


PLAIN = Wish()
"""Nothing in particular."""
