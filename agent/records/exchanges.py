"""Questions with their answers, as rows of the file of turns.

Each function raises `sqlite3.Error` where the file cannot be read or written, and `ValueError` for a row that another
version wrote.
"""

import json
import sqlite3
from dataclasses import dataclass

from pydantic import TypeAdapter

from agent.calling.answered import Place
from agent.types import Message

_SOURCES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Kept:
    """One question and its answer.

    Attributes:
        outside: Text from outside had a part in it.
        parts: Every message of the turn in order, the question first; empty where only the outline was asked for.
        caller: Who asked, as `surface:name`.
        sources: Addresses that its tools found; they may be visited and shown later on.
        source: The message in which it was asked; empty: it had none, or nobody said.
        reply_to: The same of the exchange that it went on from; empty: of none in particular.
    """

    question: str
    answer: str
    outside: bool = False
    parts: tuple[Message, ...] = ()
    model: str = ""
    tokens: int = 0
    dollars: float = 0.0
    seconds: float = 0.0
    at: float = 0.0
    caller: str = ""
    sources: tuple[str, ...] = ()
    source: str = ""
    reply_to: str = ""


def write(db: sqlite3.Connection, place: Place, kept: Kept) -> None:
    """Write an exchange down with all its parts."""
    row = (
        kept.at, place.conversation, place.caller, kept.question, kept.answer, kept.outside, kept.model,
        kept.tokens, kept.dollars, kept.seconds, json.dumps([writable(each) for each in kept.sources]),
        place.model.partition("/")[0] if "/" in place.model else "", kept.source, kept.reply_to,
    )  # fmt: skip
    turn = db.execute(
        "insert into turns (at, conversation, caller, question, answer, outside, model, tokens, dollars,"
        " seconds, sources, provider, source, reply_to) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    db.executemany(
        "insert into parts values (?, ?, ?)",
        [(turn, number, part.model_dump_json()) for number, part in enumerate(kept.parts)],
    )


def newest(db: sqlite3.Connection, conversation: str, most: int, *, parts: bool) -> list[Kept]:
    """The newest exchanges of a conversation, oldest first; their parts only where those are wanted."""
    return _read(db, conversation, None, most, parts=parts)[::-1]


def of(db: sqlite3.Connection, conversation: str, source: str) -> Kept | None:
    """The newest exchange whose question stands in one message, in outline."""
    return next(iter(_read(db, conversation, source, 1, parts=False)), None)


def writable(value: float | str) -> float | str:
    """A value that SQLite takes: halves of characters, which a model may send, cannot be written."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _read(
    db: sqlite3.Connection, conversation: str, source: str | None, most: int, *, parts: bool
) -> list[Kept]:
    rows = db.execute(
        "select id, outside, sources, question, answer, model, tokens, dollars, seconds, at, caller, source, reply_to"
        " from turns where conversation = ?1 and question <> '' and (?2 is null or source = ?2)"
        " order by id desc limit ?3",
        (conversation, source, most),
    )
    plain = [column[0] for column in rows.description[3:]]
    return [
        Kept(
            outside=bool(outside),
            parts=_parts(db, turn) if parts else (),
            sources=_SOURCES.validate_json(sources),
            **dict(zip(plain, values, strict=True)),
        )
        for turn, outside, sources, *values in rows.fetchall()
    ]


def _parts(db: sqlite3.Connection, turn: int) -> tuple[Message, ...]:
    rows = db.execute("select message from parts where turn = ? order by place", (turn,))
    return tuple(Message.model_validate_json(message) for (message,) in rows)
