"""Load plans written out in a test."""

import hashlib
from textwrap import dedent

from selfedit.types import LoadPlan, SourceFile

ECHO = """
    from bot.feature import Registry, Turn

    WORD = {word!r}

    async def say(turn: Turn) -> str:
        return f"{{WORD}} {{turn.text}}".strip()

    def setup(registry: Registry) -> None:
        registry.command({name!r}, say, usage={name!r}, summary="says a word")
        {chat}
"""


def blob_of(text: str) -> str:
    """The hash that git gives a text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def plan(files: dict[str, str], commit: str = "c0ffee") -> LoadPlan:
    """A plan of files by path; their texts may be indented."""
    texts = {path: dedent(text).lstrip("\n") for path, text in files.items()}
    sources = tuple(SourceFile(path=path, blob=blob_of(text), text=text) for path, text in texts.items())
    return LoadPlan(commit=commit.ljust(40, "0"), tree="0" * 40, files=sources)


def echo(word: str, commit: str = "c0ffee", name: str = "say", *, chat: bool = True) -> LoadPlan:
    """A plan of one feature that answers with a word, to a command and to chat."""
    source = ECHO.format(word=word, name=name, chat="registry.chat(say)" if chat else "")
    return plan({"bot/live/echo/feature.py": source}, commit)
