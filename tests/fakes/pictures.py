"""Small pictures of each kind that models take, whole and real, and what is attached of them."""

import base64
import struct
import zlib

from agent.incoming.attached import Attachment, Unfit, look_at
from policies.load import load_rules


def png(width: int = 4, height: int = 3) -> bytes:
    """A red picture of a size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_JPEG = (
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgy"
    "PC4zNDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)
_WEBP = {
    "lossy": "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
    "lossless": "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
    "extended": (
        "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAAAA=="
    ),
}
EVERY = {
    "image/png": [png(1, 1)],
    "image/jpeg": [base64.b64decode(_JPEG)],
    "image/gif": [base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")],
    "image/webp": [base64.b64decode(text) for text in _WEBP.values()],
}
"""Pictures of one pixel, by their kind."""


def attached(name: str, data: bytes | None = None) -> Attachment:
    """Something that is attached: a picture, where nothing else is given."""
    found = look_at(name, png() if data is None else data, load_rules().attachments)
    assert not isinstance(found, Unfit), found.why
    return found
