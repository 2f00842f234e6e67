"""Which calls are not made without a person once there is text from outside in a turn."""

import json
from collections.abc import Collection, Iterator
from typing import Any

from agent.calling.toolbox import Tool
from agent.guardrails.outgoing import visits_stranger
from agent.guardrails.redaction import looks_secret


def needs_a_person(tool: Tool, arguments: str, outside: Collection[str]) -> str:
    """Why a call is not made while text from outside is in the turn; empty where it is."""
    if tool.manifest.writes:
        return (
            f"Not done: text from outside was read in this conversation, so {tool.name}, which changes something, "
            "needs a person. Tell the person what you would do, and let them do it."
        )
    if "web" not in tool.manifest.uses:
        return ""
    texts = list(_texts(json.loads(arguments.strip() or "{}")))
    if any(looks_secret(text) for text in texts):
        return "Not done: there is something in it that looks like a secret."
    # An address that a model puts together may carry away what it has read.
    if any(visits_stranger(text, outside) for text in texts):
        return "Not done: nobody gave that address. Visit addresses exactly as they were given."
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
