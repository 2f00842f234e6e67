"""What may be kept of arguments and errors: no secrets, and no long texts."""

import json
import re
from typing import Any

LONGEST_KEPT = 300
"""Characters of one argument that the audit keeps."""
_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|pk|ghp|gho|ghs|github_pat|xox[abpr]|AKIA|AIza)[-_A-Za-z0-9]{12,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+|\b[MNO][\w-]{22,}\.[\w-]{6}\.[\w-]{25,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)


def looks_secret(text: str) -> bool:
    """Whether there is something in a text that looks like a key, a token or a password in an address."""
    return _SECRET_TEXT.search(text) is not None


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
    clean = _SECRET_TEXT.sub("(hidden)", text)
    return clean if len(clean) <= LONGEST_KEPT else f"{clean[:LONGEST_KEPT]}… ({len(clean)} characters)"
