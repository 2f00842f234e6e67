"""The file of turns as SQLite has it: its tables, how it is brought up to date, and what is taken out of it for good.

Each function raises `sqlite3.Error` where that cannot be done.
"""

import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from policies.limits import DAY, Spent, day_of

KEPT_DAYS = 90
"""What is older than this is let go of when the file is opened, and with each day that begins."""
OPEN_SECONDS = 5.0
BUSY_MS = 200
"""So long the event loop may stand still for another process that writes; what comes too late for it is let go of."""
_SCHEMA = """
create table if not exists turns (
    id integer primary key, at real not null, conversation text not null, caller text not null,
    question text not null, answer text not null, outside integer not null, model text not null,
    tokens integer not null, dollars real not null, seconds real not null, sources text not null default '[]',
    provider text not null default '', source text not null default '', reply_to text not null default ''
);
create index if not exists turns_of_place on turns (conversation, id);
create index if not exists turns_by_time on turns (at);
create table if not exists parts (
    turn integer not null references turns (id), place integer not null, message text not null,
    primary key (turn, place)
) without rowid;
create table if not exists calls (
    id integer primary key, at real not null, caller text not null, conversation text not null, agent text not null,
    call text not null, tool text not null, outcome text not null, arguments text not null, note text not null,
    seconds real not null, dollars real not null, stages text not null default '', error text not null default '',
    model text not null default ''
);
create index if not exists calls_of_tool on calls (tool, id);
create index if not exists calls_of_person on calls (caller, tool, at);
create index if not exists calls_of_place on calls (conversation, at);
create index if not exists calls_by_time on calls (at);
create table if not exists met (
    tool text not null, version text not null, at real not null, primary key (tool, version)
) without rowid;
create table if not exists spent (
    day integer not null, whose text not null, tokens integer not null, dollars real not null,
    primary key (day, whose)
) without rowid;
create table if not exists held (
    whose text primary key, day integer not null, tokens integer not null, dollars real not null
) without rowid;
"""
_SPEND = (
    "insert into spent values (?, ?, ?, ?) on conflict (day, whose)"
    " do update set tokens = tokens + excluded.tokens, dollars = dollars + excluded.dollars"
)
_FORGET = (
    "delete from parts where turn in (select id from turns where conversation = ?1 and (?2 is null or caller = ?2))",
    "update calls set arguments = '{}', note = '' where conversation = ?1 and (?2 is null or caller = ?2)",
    (
        "update turns set question = '', answer = '', sources = '[]'"
        " where conversation = ?1 and (?2 is null or caller = ?2) and question <> ''"
    ),
)
"""The last says how many questions are gone."""
_FORGET_ONE = (
    (
        "delete from parts where turn in"
        " (select id from turns where conversation = ?1 and source = ?2 and question <> '')"
    ),
    (
        "update calls set arguments = '{}', note = '' where conversation = ?1 and exists"
        " (select 1 from turns where turns.conversation = ?1 and turns.source = ?2 and turns.caller = calls.caller"
        " and calls.at between turns.at - turns.seconds - 1 and turns.at + 1)"
    ),
    (
        "update turns set question = '', answer = '', sources = '[]'"
        " where conversation = ?1 and source = ?2 and question <> ''"
    ),
)
"""The same for one question."""
_LATER = (
    ("turns", "sources", "[]"),
    ("turns", "provider", ""),
    ("turns", "source", ""),
    ("turns", "reply_to", ""),
    ("calls", "stages", ""),
    ("calls", "error", ""),
    ("calls", "model", ""),
)
"""Columns that a file from an earlier version lacks: table, name, what older rows hold."""
_CLEANED = 1
"""`user_version` of a file in which nothing that was let go of is left in pages that are free."""

log = logging.getLogger("theseus.turns")


def opened(path: Path) -> sqlite3.Connection:
    """Open the file, creating it on first use.

    Raises:
        sqlite3.Error: It cannot be opened, or is no such file.
        OSError: The same.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = sqlite3.connect(path, timeout=OPEN_SECONDS, isolation_level=None)
    try:
        path.chmod(0o600)
        _prepare(db)
    except (sqlite3.Error, OSError):
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("pragma journal_mode=wal")
    # A turn lost to a power cut is no harm; waiting for the disk in the middle of a chat is.
    db.execute("pragma synchronous=off")
    db.execute("pragma secure_delete=on")
    db.executescript(_SCHEMA)
    for table, column, default in _LATER:
        if column not in {row[1] for row in db.execute(f"pragma table_info({table})")}:
            db.execute(f"alter table {table} add column {column} text not null default '{default}'")
    db.execute("create index if not exists turns_of_source on turns (source) where source <> ''")
    _book_what_was_held(db)
    let_go_of_old(db, time.time())
    _clean(db)
    db.execute(f"pragma busy_timeout={BUSY_MS}")


def let_go_of_old(db: sqlite3.Connection, now: float) -> None:
    """Let go of what is too old by a moment, in seconds since the epoch."""
    oldest = now - KEPT_DAYS * DAY
    db.execute("delete from parts where turn in (select id from turns where at < ?)", (oldest,))
    db.execute("delete from turns where at < ?", (oldest,))
    db.execute("delete from calls where at < ?", (oldest,))
    db.execute("delete from spent where day < ?", (day_of(oldest),))


def _book_what_was_held(db: sqlite3.Connection) -> None:
    """Charge as reckoned what an earlier process had set aside when it ended: nobody knows how far those questions got."""
    with db:
        db.execute("begin immediate")
        db.executemany(_SPEND, db.execute("select day, whose, tokens, dollars from held").fetchall())
        db.execute("delete from held")


def spend(db: sqlite3.Connection, day: int, whose: Sequence[str], spent: Spent) -> None:
    """Add to what was spent on a day, in each of several names."""
    db.executemany(_SPEND, [(day, each, spent.tokens, spent.dollars) for each in whose])


def hold(db: sqlite3.Connection, day: int, held: Mapping[str, Spent]) -> None:
    """Write down what is set aside, by whose budget it is: all that is under way there, since that day."""
    db.executemany(
        "insert or replace into held values (?, ?, ?, ?)",
        [(whose, day, each.tokens, each.dollars) for whose, each in held.items() if each != Spent()],
    )
    db.executemany("delete from held where whose = ?", [(whose,) for whose in held if held[whose] == Spent()])


def forget(db: sqlite3.Connection, conversation: str, caller: str | None) -> int:
    """Take the words out of what somebody said in a conversation, None: anybody; how many questions those were."""
    gone = 0
    with db:
        db.execute("begin")
        for statement in _FORGET:
            gone = db.execute(statement, (conversation, caller)).rowcount
    return gone


def forget_one(db: sqlite3.Connection, conversation: str, source: str) -> int:
    """Take the words out of the question that stands in one message, and out of its answer; how many those were."""
    gone = 0
    with db:
        db.execute("begin")
        for statement in _FORGET_ONE:
            gone = db.execute(statement, (conversation, source)).rowcount
    return gone


def conversations(db: sqlite3.Connection, place: str) -> list[str]:
    """The conversations of a place and of what is below it of which there are words."""
    rows = db.execute(
        "select distinct conversation from turns where question <> '' and (conversation = ?1"
        " or substr(conversation, 1, length(?1) + 1) = ?1 || '/')",
        (place,),
    )
    return [conversation for (conversation,) in rows]


def amend(db: sqlite3.Connection, conversation: str, source: str, question: str, asked: str) -> None:
    """Put other words in the place of the question of one message; `asked` is the same as a message, in JSON."""
    with db:
        db.execute("begin")
        db.execute(
            "update parts set message = ?3 where place = 0 and turn in"
            " (select id from turns where conversation = ?1 and source = ?2 and question <> '')",
            (conversation, source, asked),
        )
        db.execute(
            "update turns set question = ?3 where conversation = ?1 and source = ?2 and question <> ''",
            (conversation, source, question),
        )


def emptied(db: sqlite3.Connection) -> bool:
    """Empty the log beside the file, where what was let go of stands as well; False while somebody else reads."""
    return not db.execute("pragma wal_checkpoint(truncate)").fetchone()[0]


def _clean(db: sqlite3.Connection) -> None:
    """Write a file anew, once, whose free pages may still hold what was let go of before those were overwritten."""
    if db.execute("pragma user_version").fetchone()[0] >= _CLEANED:
        return
    try:
        db.execute("vacuum")
        if emptied(db):
            db.execute(f"pragma user_version = {_CLEANED}")
    except sqlite3.Error as error:
        log.warning("the file of what was said is not cleaned yet, but at the next start: %s", error)
