"""The ledger: every move of every proposal, in an append-only SQLite file whose rows are chained by hash.

A move is written here before its effect. After a crash the rows say what was about to happen, and the
steward finishes or undoes it. Nothing is ever changed or taken out; `verify` shows that it was not.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GENESIS_HASH = "0" * 64
CLOCK_SLACK = timedelta(seconds=5)
"""A clock that is set back by no more than this was only adjusted."""

_SCHEMA = """
create table if not exists moves (
    seq integer primary key,
    at text not null,
    kind text not null,
    number integer,
    data text not null,
    prev text not null,
    hash text not null
);
create trigger if not exists moves_are_not_changed before update on moves
begin select raise(abort, 'the ledger is append-only'); end;
create trigger if not exists moves_are_not_deleted before delete on moves
begin select raise(abort, 'the ledger is append-only'); end;
"""


class LedgerProblem(Exception):
    """The ledger cannot be read or written. Its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Move:
    """One row: what happened (`kind`), to which proposal, when, with which facts."""

    seq: int
    at: datetime
    kind: str
    number: int | None
    data: dict[str, Any]
    hash: str


class Ledger:
    """The ledger of one home. Beside the database stands `ledger.head`, which names its last row."""

    def __init__(self, home: Path, *, read_only: bool = False) -> None:
        """Open the ledger, creating it on first use.

        Raises:
            LedgerProblem: It cannot be opened.
        """
        self.path = home / "ledger.sqlite3"
        self._head = home / "ledger.head"
        try:
            if read_only:
                self._db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)
            else:
                self._db = sqlite3.connect(
                    self.path, timeout=5, isolation_level=None, check_same_thread=False
                )
                self._db.execute("pragma journal_mode=wal")
                self._db.execute("pragma synchronous=full")
                self._db.executescript(_SCHEMA)
            row = self._db.execute(
                "select seq, hash, (select max(at) from moves) from moves order by seq desc limit 1"
            ).fetchone()
        except sqlite3.Error as error:
            raise LedgerProblem(f"the ledger {self.path} cannot be opened: {error}") from error
        self._last: tuple[int, str] = (row[0], row[1]) if row else (0, GENESIS_HASH)
        self._newest = row[2] if row else ""

    def append(self, kind: str, number: int | None = None, **data: Any) -> Move:
        """Write a move; when this returns, it is on disk.

        Raises:
            LedgerProblem: It could not be written (disk full, read-only); nothing was.
        """
        seq, prev = self._last[0] + 1, self._last[1]
        at = datetime.now(UTC)
        text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = _digest(seq, at.isoformat(), kind, number, text, prev)
        try:
            self._db.execute(
                "insert into moves values (?, ?, ?, ?, ?, ?, ?)",
                (seq, at.isoformat(), kind, number, text, prev, digest),
            )
        except sqlite3.Error as error:
            raise LedgerProblem(f"the ledger {self.path} cannot be written: {error}") from error
        self._last, self._newest = (seq, digest), max(self._newest, at.isoformat())
        with contextlib.suppress(OSError):  # a head that lags behind the rows is still a true one
            fresh = self._head.with_suffix(".new")
            fresh.write_text(f"{seq} {digest}\n")
            fresh.replace(self._head)
        return Move(seq, at, kind, number, json.loads(text), digest)

    def unfit(self) -> str:
        """Why nothing should be decided that has to be written here, as a sentence; empty when all is well."""
        try:
            self._db.execute("begin immediate")
            self._db.execute(
                "insert into moves values (?, '', 'try', null, '', '', '')", (self._last[0] + 1,)
            )
            self._db.execute("rollback")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("rollback")
            return f"the ledger {self.path} cannot be written: {error}"
        now = datetime.now(UTC)
        try:
            newest = datetime.fromisoformat(self._newest) if self._newest else now
        except ValueError:
            return f"the last row of the ledger {self.path} has no time that can be read ({self._newest!r})"
        if newest > now + CLOCK_SLACK:
            return (
                f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, which is before the last row of the ledger "
                f"({newest:%Y-%m-%d %H:%M:%S}); set the clock right"
            )
        return ""

    def moves(self) -> Iterator[Move]:
        """All moves, oldest first.

        Raises:
            LedgerProblem: A row cannot be read.
        """
        try:
            for seq, at, kind, number, data, _, digest in self._db.execute(
                "select * from moves order by seq"
            ):
                yield Move(seq, datetime.fromisoformat(at), kind, number, json.loads(data), digest)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise LedgerProblem(f"the ledger {self.path} cannot be read: {error}") from error

    @property
    def last_hash(self) -> str:
        """The hash of the newest row: it stands for everything before it."""
        return self._last[1]

    def faults(self) -> list[str]:
        """What is wrong with the chain, a sentence each; empty when it holds."""
        found, expected, prev = [], 1, GENESIS_HASH
        hashes = {}
        latest = ""
        try:
            rows = self._db.execute("select * from moves order by seq").fetchall()
        except sqlite3.Error as error:
            return [f"the ledger cannot be read: {error}"]
        for seq, at, kind, number, data, row_prev, digest in rows:
            if seq != expected:
                found.append(f"ledger row {expected} is missing")
            if row_prev != prev or digest != _digest(seq, at, kind, number, data, row_prev):
                found.append(f"ledger row {seq} ({kind}) was changed, or the row before it")
            expected, prev = seq + 1, digest
            hashes[seq] = digest
            latest = max(latest, at)
            if _before(at, latest):
                found.append(
                    f"ledger row {seq} ({kind}) is dated {at}, long before a row that was written earlier"
                )
        try:
            seq_text, digest = self._head.read_text().split()
            if hashes.get(int(seq_text)) != digest:
                found.append(
                    f"ledger row {seq_text}, the last one that was written, is missing or was changed"
                )
        except FileNotFoundError:
            if rows:
                found.append(f"{self._head} is missing")
        except ValueError:
            found.append(f"{self._head} was changed")
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _digest(*row_without_hash: str | int | None) -> str:
    row = json.dumps(row_without_hash, ensure_ascii=False)
    return hashlib.sha256(row.encode()).hexdigest()


def _before(at: str, latest: str) -> bool:
    """Whether a time is earlier than another by more than adjusting a clock explains; False where it is no time."""
    try:
        return datetime.fromisoformat(latest) - datetime.fromisoformat(at) > CLOCK_SLACK
    except ValueError:
        return False
