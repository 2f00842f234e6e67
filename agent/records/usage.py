"""What is kept of turns and calls, read back: how one tool was used, and sums over all for maintainers.

Each function reads the file of `agent.records.turns` and raises `sqlite3.Error` where that cannot be done.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from policies.limits import DAY

MOST_ROWS = 20
"""Of each kind; the largest are shown. `+` in a query keeps it to the days that were asked for: without it, SQLite goes
through all rows in the order of their tools."""


@dataclass(frozen=True, slots=True)
class Used:
    """How a tool has been used: calls, how many of them went well, seconds since the epoch of the last."""

    calls: int
    good: int
    last: float
    dollars: float


UNUSED = Used(0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One person, model or tool.

    Attributes:
        name: Who or what: `surface:name`, `vendor/model`, or a tool's name.
        times: Questions that were answered, or calls that were made.
        good: How many of them went well; every answered question did.
        tokens: What they came to; 0 for tools.
        dollars: The same in US dollars.
        seconds: What they took, together.
    """

    name: str
    times: int
    good: int
    tokens: int
    dollars: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used since some moment, in each list by how often."""

    people: tuple[Row, ...] = ()
    models: tuple[Row, ...] = ()
    tools: tuple[Row, ...] = ()
    outcomes: tuple[tuple[str, int], ...] = ()
    """Calls by what came of them."""
    failures: tuple[tuple[str, str, int], ...] = ()
    """Tool, class of its error, how often."""


def used(db: sqlite3.Connection, tool: str) -> Used:
    """How a tool has been used, in all."""
    row = db.execute(
        "select count(*), sum(outcome in ('ok', 'cached')), max(at), sum(dollars) from calls where tool = ?",
        (tool,),
    ).fetchone()
    return Used(row[0], row[1] or 0, row[2] or 0.0, row[3] or 0.0)


def used_on(db: sqlite3.Connection, day: int, caller: str, tool: str) -> int:
    """How often somebody had a tool run on a day (of UTC, by number)."""
    row = db.execute(
        "select count(*) from calls where tool = ? and caller = ? and at >= ? and at < ?"
        " and outcome in ('ok', 'refused', 'late', 'failed', 'cancelled')",
        (tool, caller, day * DAY, (day + 1) * DAY),
    ).fetchone()
    return int(row[0])


def cached(db: sqlite3.Connection, conversation: str, within: tuple[float, float]) -> frozenset[str]:
    """The ids of calls whose answer was given again, between two moments."""
    rows = db.execute(
        "select call from calls where conversation = ? and outcome = 'cached' and at between ? and ?",
        (conversation, *within),
    )
    return frozenset(call for (call,) in rows)


def newest_calls(db: sqlite3.Connection, most: int) -> list[dict[str, Any]]:
    """The newest audit rows by the names of their columns, newest first."""
    rows = db.execute(
        "select caller, conversation, tool, outcome, arguments, note, stages, error, model, call, at from calls"
        " order by id desc limit ?",
        (most,),
    )
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def met(db: sqlite3.Connection, tool: str) -> float:
    """Since when a tool is known, in seconds since the epoch; 0 where nobody wrote it down."""
    (at,) = db.execute("select min(at) from met where tool = ?", (tool,)).fetchone()
    return float(at or 0)


def usage_since(db: sqlite3.Connection, since: float) -> Usage:
    """Add up what was used since a moment, in seconds since the epoch."""
    people = _rows(
        db,
        "select caller, count(*), count(*), sum(tokens), sum(dollars), sum(seconds) from turns where at >= ?"
        " group by caller order by 2 desc limit ?",
        since,
    )
    models = _rows(
        db,
        "select ltrim(provider || '/' || model, '/'), count(*), count(*), sum(tokens), sum(dollars), sum(seconds)"
        " from turns where at >= ? group by provider, model order by 2 desc limit ?",
        since,
    )
    tools = _rows(
        db,
        "select tool, count(*), sum(outcome in ('ok', 'cached')), 0, sum(dollars), sum(seconds) from calls"
        " where at >= ? group by +tool order by 2 desc limit ?",
        since,
    )
    outcomes = db.execute(
        "select outcome, count(*) from calls where at >= ? group by outcome order by 2 desc", (since,)
    ).fetchall()
    failures = db.execute(
        "select tool, error, count(*) from calls where at >= ? and error <> '' group by +tool, error"
        " order by 3 desc limit ?",
        (since, MOST_ROWS),
    ).fetchall()
    return Usage(people, models, tools, tuple(outcomes), tuple(failures))


def _rows(db: sqlite3.Connection, query: str, since: float) -> tuple[Row, ...]:
    return tuple(Row(*row) for row in db.execute(query, (since, MOST_ROWS)))
