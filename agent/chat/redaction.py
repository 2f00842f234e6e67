"""What may be kept of arguments and errors: no secrets, and no long texts."""

import json
import re
from typing import Any

from policies.credentials import without_credentials

LONGEST_KEPT = 300
"""Characters of one argument that the audit keeps."""
_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|cookie|credential", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
"""In an address, before its host."""


def looks_secret(text: str) -> bool:
    """Whether there is something in a text that looks like a key, a token or a password in an address."""
    return _without_secret_texts(text) != text


def _without_secret_texts(text: str) -> str:
    return without_credentials(_PASSWORD.sub("(hidden)", text), "(hidden)")


def redacted(arguments: str) -> str:
    """Arguments as they may be kept: no secrets, and no long texts."""
    try:
        return json.dumps(_without_secrets(json.loads(arguments or "{}")))
    except (ValueError, RecursionError):
        return json.dumps({"unreadable": shortened(arguments)})


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            shortened(str(key)): "(hidden)" if _SECRET_NAME.search(str(key)) else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value[:50]]
    return shortened(value) if isinstance(value, str) else value


def shortened(text: str) -> str:
    """A text without secrets, cut where it is long."""
    clean = _without_secret_texts(text)
    return clean if len(clean) <= LONGEST_KEPT else f"{clean[:LONGEST_KEPT]}… ({len(clean)} characters)"
