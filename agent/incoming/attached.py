"""What people attach to a message: known by its bytes, never by its name, and shown to a model as what it is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.guardrails.spoken import cleaned, fenced
from agent.incoming.pixels import picture
from agent.services.cleaning import line, plain
from agent.types import Image
from policies.load import AttachmentRules

LONGEST_NAME = 80
"""Characters of a name that a model and people are shown."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message.

    Attributes:
        name: What people call it; no path.
        kind: `text/plain`, or a picture's media type.
        size: Bytes.
        text: For a text, what stands in it.
        image: For a picture, the picture; live code never gets it.
        pixels: For a picture, its width and height.
    """

    name: str
    kind: str
    size: int
    text: str = ""
    image: Image | None = None
    pixels: tuple[int, int] = (0, 0)

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        what = f"{self.kind}, {self.pixels[0]}x{self.pixels[1]}" if self.pixels[0] else self.kind
        return f"{self.name} ({what}, {self.size:,} bytes)"


@dataclass(frozen=True, slots=True)
class Unfit:
    """A file that is not taken; `why` is a sentence that says what would be."""

    why: str


def look_at(name: str, data: bytes, rules: AttachmentRules) -> Attachment | Unfit:
    """Make an attachment of a file's bytes.

    Args:
        name: What it is called; a path in front of it is left out.
        data: All of it.
        rules: How large it may be.
    """
    name = shown_name(name)
    if not data:
        return Unfit(f"{name} is empty.")
    try:
        found = picture(data)
    except ValueError as error:
        return Unfit(f"{name} begins like a picture, but is damaged: {error}.")
    if found is not None:
        kind, pixels = found
        if len(data) > rules.picture_bytes:
            return Unfit(too_large(name, len(data), rules.picture_bytes, "a picture"))
        if max(pixels) > rules.picture_pixels:
            return Unfit(
                f"{name} has {pixels[0]:,} x {pixels[1]:,} pixels; a picture may have {rules.picture_pixels:,} a side."
            )
        return Attachment(name, kind, len(data), image=Image(kind=kind, data=data), pixels=pixels)
    if len(data) > rules.text_bytes:
        return Unfit(too_large(name, len(data), rules.text_bytes, "a text"))
    text = _text(data)
    if text is None:
        return Unfit(f"{name} is neither text nor a picture (PNG, JPEG, GIF or WebP), so I cannot read it.")
    return Attachment(name, "text/plain", len(data), text=text)


def too_large(name: str, size: int, most: int, what: str = "a file") -> str:
    """The sentence for a file that is larger than it may be, in bytes."""
    return f"{shown_name(name)} has {size:,} bytes; {what} may have {most:,}."


def shown_name(name: str) -> str:
    """A file's name as it may be shown: in one line, without its path, not endless."""
    bare = line(re.split(r"[/\\]", name.rstrip("/\\"))[-1])
    bare = re.sub(r"[<>@`]", "_", bare) or "file"
    return bare if len(bare) <= LONGEST_NAME else f"{bare[: LONGEST_NAME - 9]}…{bare[-8:]}"


def told_apart(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The same with names that differ, since a picture is asked about by its name."""
    taken: dict[str, Attachment] = {}
    for each in attachments:
        name, number = each.name, 1
        while name in taken:
            number += 1
            name = f"{each.name} ({number})"
        taken[name] = replace(each, name=name)
    return tuple(taken.values())


def described(attachments: Sequence[Attachment], mark: str, most: int) -> str:
    """What a model reads of attachments behind a question: texts between marks, of pictures what they are.

    Args:
        attachments: What came along.
        mark: That of the turn.
        most: Characters of each text.
    """
    parts = []
    for each in attachments:
        if each.kind != "text/plain":
            parts.append(f"Attached picture: {each.about}")
            continue
        cut = f"; its first {most:,} characters" if len(each.text) > most else ""
        parts.append(f"Attached file: {each.about}{cut}\n{cleaned(each.text, most)}")
    # A name is text from outside as well: whoever sent the file chose it.
    return "\n\n".join(fenced(part, mark) for part in parts)


def _text(data: bytes) -> str | None:
    """Bytes as the text that people would see; None where they are no text."""
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text):
        return None
    # All of ASCII that is left can be seen, so that there is nothing to look for sign by sign.
    return text.replace("\r\n", "\n") if text.isascii() else plain(text)
