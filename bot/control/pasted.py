"""JSON at the console: pasted over several lines, or in a file; edits, and descriptions of tools."""

import re
from pathlib import Path

from bot.control.commands import split

MAX_DESCRIPTION = 100_000
"""Bytes of a tool's description that are read at all."""


def begins_edits(line: str) -> bool:
    """Whether a line begins pasted JSON, which may go over several lines: edits, or the description of a tool."""
    parts = split(line)
    if parts is None:
        return False
    name, rest = parts
    making = name == "tool" and re.match(r"create\s+(?:[a-z]\w*\s+)?\{", rest) is not None
    return making or (name == "improve" and rest.startswith(("[", "{")))


def described(rest: str) -> str:
    """What follows `/tool`, with the text of a file in place of `create @FILE`; at the console only.

    A file that cannot be read is left as it was typed, which is then no description.
    """
    found = re.fullmatch(r"create\s+(?:([a-z]\w*)\s+)?@(.+)", rest.strip())
    if found is None:
        return rest
    try:
        with Path(found[2].strip()).expanduser().open("rb") as file:
            text = file.read(MAX_DESCRIPTION + 1).decode(errors="replace")
    except (OSError, ValueError):
        return rest
    return f"create {found[1] or ''} {text}"


def brackets(line: str) -> int:
    """How many more brackets one line of JSON opens than it closes; those in strings do not count."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    return sum((char in "[{") - (char in "]}") for char in bare)
