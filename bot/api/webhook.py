"""What a webhook of GitHub says, as far as it is read at all: whose it is, and whether anything may have changed by it. Pure.

Nothing in it is believed: it only says when to look, and the steward looks for itself. So no more is read than what tells
whether it is worth a look.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PING = "ping"
"""What GitHub says when a webhook is set up; nothing has changed then."""
CONCERNS = frozenset(
    {
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "check_run",
        "check_suite",
        "status",
        "push",
        "merge_group",
        "member",
        "branch_protection_rule",
    }
)
"""Kinds of events after which a pull request, `main`, or who may decide on them can be another.

Comments below a pull request (`issue_comment`) are not among them: no state follows from those.
"""
_PREFIX = "sha256="
_KIND = re.compile(r"[a-z0-9_]{1,64}")
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_FIELDS = 8
"""Fields of a form that are looked at; GitHub sends one."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is read of a webhook.

    Attributes:
        repository: Which repository it is about, as `owner/name`; empty where it is about none.
        ref: What was pushed to; empty where nothing was.
    """

    repository: str
    ref: str


def signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether `X-Hub-Signature-256` was made of this very body with the secret; takes as long for a wrong one as for a right one."""
    made = _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made.encode(), signature.encode("utf-8", "surrogateescape"))


def known_type(content_type: str) -> str:
    """In which of the two forms a body comes; empty where it is neither."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind in (JSON, FORM) else ""


def well_formed(kind: str, delivery: str) -> bool:
    """Whether the names of an event and of its delivery are such."""
    return bool(_KIND.fullmatch(kind) and _ID.fullmatch(delivery))


def read(body: bytes, content_type: str) -> Told | None:
    """What a body says; None where it is not what GitHub sends."""
    try:
        text = body.decode()
        if content_type == FORM:
            [text] = parse_qs(text, strict_parsing=True, max_num_fields=_FIELDS)["payload"]
        said = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return Told(repository=_text(said.get("repository"), "full_name"), ref=_text(said, "ref"))


def idle(kind: str, told: Told, repository: str, branch: str) -> str:
    """Why nothing follows from an event, in a few words; empty where somebody should look.

    Args:
        kind: Of the event.
        told: What it says.
        repository: Ours, as `owner/name`.
        branch: The one that is followed.
    """
    if kind == PING:
        return "it works"
    if told.repository.lower() != repository.lower():
        return "another repository"
    if kind not in CONCERNS:
        return "nothing that is looked at"
    if kind == "push" and told.ref != f"refs/heads/{branch}":
        return "another branch"  # one of a proposal is told of as a pull request
    return ""


def _text(said: Any, name: str) -> str:
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) else ""
