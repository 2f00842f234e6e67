"""What kind of picture some bytes are, and how large it is: read from the header, without decoding anything."""

import struct
from collections.abc import Callable
from typing import Literal

Kind = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
Sizes = tuple[int, int]
"""Width and height in pixels."""
_MARKER = 0xFF
"""Every part of a JPEG begins with it, and it may stand there several times."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""What stands behind it where a frame begins, which says how large the picture is."""
_MOST_PARTS = 1_000
"""Parts of a JPEG that are looked at for its size; pictures have a few dozen in front of it."""
_LOSSLESS = 0x2F
"""What a lossless WebP begins with."""


def picture(data: bytes) -> tuple[Kind, Sizes] | None:
    """The kind and size of a picture; None for bytes that begin like none of the kinds that models take.

    Raises:
        ValueError: It begins like a picture and then is none.
    """
    for begins, kind, measure in _KINDS:
        if data.startswith(begins) and (kind != "image/webp" or data[8:12] == b"WEBP"):
            try:
                width, height = measure(data)
            except (struct.error, IndexError):
                raise ValueError("it ends before it says how large it is") from None
            if not (width and height):
                raise ValueError("it has no pixels")
            return kind, (width, height)
    return None


def _png(data: bytes) -> Sizes:
    if data[12:16] != b"IHDR":
        raise ValueError("its first part is not its header")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> Sizes:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _jpeg(data: bytes) -> Sizes:
    at = 2
    for _ in range(_MOST_PARTS):
        if data[at] != _MARKER:
            raise ValueError("its parts do not follow each other")
        marker = data[at + 1]
        if marker == _MARKER:
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + max(2, length)
    raise ValueError("it has too many parts")


def _webp(data: bytes) -> Sizes:
    form = data[12:16]
    if form == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise ValueError("its frame does not begin like one")
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        if data[20] != _LOSSLESS:
            raise ValueError("its frame does not begin like one")
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        return (low_w | high_w << 16) + 1, (low_h | high_h << 16) + 1
    raise ValueError("nobody knows its first part")


_KINDS: tuple[tuple[bytes, Kind, Callable[[bytes], Sizes]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", _png),
    (b"\xff\xd8\xff", "image/jpeg", _jpeg),
    (b"GIF87a", "image/gif", _gif),
    (b"GIF89a", "image/gif", _gif),
    (b"RIFF", "image/webp", _webp),
)
