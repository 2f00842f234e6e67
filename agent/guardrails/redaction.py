"""What may be kept of messages, arguments and errors: no secrets, and no long texts."""

import json
import re
import traceback
from collections.abc import Sequence
from typing import Any

from agent.types import Message
from policies.credentials import without_credentials

HIDDEN = "(hidden)"
"""What stands in the place of a secret."""
LONGEST_KEPT = 300
"""Characters of one argument that the audit keeps."""
_MOST_CAUSES, _MOST_FRAMES = 4, 4
_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|cookie|credential", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
"""In an address, before its host."""


def looks_secret(text: str) -> bool:
    """Whether there is something in a text that looks like a key, a token or a password in an address."""
    return _without_secret_texts(text) != text


def _without_secret_texts(text: str) -> str:
    return without_credentials(_PASSWORD.sub(HIDDEN, text), HIDDEN)


def redacted(arguments: str) -> str:
    """Arguments as they may be kept: no secrets, and no long texts."""
    try:
        return json.dumps(_without_secrets(json.loads(arguments or "{}")))
    except (ValueError, RecursionError):
        return json.dumps({"unreadable": shortened(arguments)})


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            shortened(str(key)): HIDDEN if _SECRET_NAME.search(str(key)) else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value[:50]]
    return shortened(value) if isinstance(value, str) else value


def shortened(text: str) -> str:
    """A text without secrets, cut where it is long."""
    clean = _without_secret_texts(text)
    return clean if len(clean) <= LONGEST_KEPT else f"{clean[:LONGEST_KEPT]}… ({len(clean)} characters)"


def storable(message: Message, own: Sequence[str]) -> Message:
    """A message as it may be written down: no keys, and no pictures, which would make a file grow without end.

    Of a model's own words nothing is: what people were shown of them stands in the answer, and the rest was taken out.
    """
    said = "" if message.role == "assistant" else without_credentials(message.text, HIDDEN, own)
    calls = tuple(
        call.model_copy(update={"arguments": without_credentials(call.arguments, HIDDEN, own)})
        for call in message.calls
    )
    return message.model_copy(update={"text": said, "calls": calls, "native": "", "images": ()})


def whereabouts(error: BaseException) -> str:
    """What a log may keep of an error: its class and where it was raised, and the same of what led to it.

    Its text is left out: it may repeat what somebody said, and they may have that forgotten, or never have it kept.
    """
    rows, seen, cause = [], 0, error
    while seen < _MOST_CAUSES:
        frames = traceback.extract_tb(cause.__traceback__)[-_MOST_FRAMES:]
        place = ", ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        rows.append(f"{type(cause).__name__} at {place or 'no place that is known'}")
        before = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        if before is None:
            break
        cause, seen = before, seen + 1
    return "; after ".join(rows)
