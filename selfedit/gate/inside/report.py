r"""The one report that a judge writes, signed with a key that no code under test can learn. Standard library only.

The report goes to stdout as one frame:

    THESEUS-REPORT <hmac-sha256> <bytes of JSON> <bytes of attachment>\n<JSON><attachment>

A key that signs, instead of a word that must be repeated, means that reading the report helps nobody forge one.
"""

import contextlib
import ctypes
import hashlib
import hmac
import json
import os
from typing import Any

MARK = b"THESEUS-REPORT"


def hide() -> None:
    """Nobody of the same user may look into this process; its orphaned grandchildren become its children."""
    dumpable, child_subreaper = 4, 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(dumpable, 0, 0, 0, 0) or libc.prctl(child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def write(key: bytes, result: dict[str, Any], attachment: bytes) -> None:
    """Write the report to stdout, and close that."""
    text = json.dumps(result).encode()
    signature = hmac.new(key, text + attachment, hashlib.sha256).hexdigest().encode()
    frame = b"%s %s %d %d\n" % (MARK, signature, len(text), len(attachment))
    with contextlib.closing(os.fdopen(os.dup(1), "wb")) as stdout:
        stdout.write(frame + text + attachment)
