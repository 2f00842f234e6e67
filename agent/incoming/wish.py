"""What somebody wants of an answer, beside the words: handed from the surface to the brain, past live code."""

from dataclasses import dataclass

from agent.incoming.attached import Attachment
from agent.types import Image


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was said before a question, as the surface found it.

    Attributes:
        text: What it says, with mentions as names.
        name: Who said it, as people call them.
        source: The message under which it is remembered, if it is: that of the question, for an answer as well.
        conversation: Stable id of the place where it was said.
    """

    text: str
    name: str
    source: str = ""
    conversation: str = ""


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
        source: The message in which it is asked, by which the exchange is found again; empty: it has none.
        before: What was said before it, the first in front, as far as the surface knows better than the place does.
        chain: What stands in `before` is all that was said before; else it stands in front of the newest of the place.
        marked: The surface shows small letters and moments where Discord's marks for them stand.
    """

    model: str = ""
    tools: str = "auto"
    combine: bool = False
    private: bool = False
    attachments: tuple[Attachment, ...] = ()
    source: str = ""
    before: tuple[Heard, ...] = ()
    chain: bool = False
    marked: bool = False

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
