"""The ledger is append-only, chained, and says when it was tampered with."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from selfedit.history.ledger import Ledger, LedgerProblem


def filled(home: Path) -> Ledger:
    ledger = Ledger(home)
    for number in range(1, 6):
        ledger.append("requested", number, text=f"wish {number}", umlaut="ä")
    return ledger


def tampered(home: Path, *statements: str) -> list[str]:
    filled(home).close()
    db = sqlite3.connect(home / "ledger.sqlite3")
    db.executescript("drop trigger moves_are_not_changed; drop trigger moves_are_not_deleted;")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    ledger = Ledger(home)
    faults = ledger.faults()
    ledger.close()
    return faults


def test_an_untouched_ledger_has_no_faults(tmp_path: Path) -> None:
    """What was written and read again, also by another opening, holds."""
    filled(tmp_path).close()
    ledger = Ledger(tmp_path)
    assert ledger.faults() == []
    assert [move.data["text"] for move in ledger.moves()] == [f"wish {n}" for n in range(1, 6)]
    ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update moves set data = '{}' where seq = 3",
        "update moves set kind = 'approved' where seq = 5",
        "update moves set at = '2000-01-01T00:00:00+00:00' where seq = 1",
        "update moves set number = null where seq = 2",
        "update moves set hash = prev where seq = 4",
        "delete from moves where seq = 3",
        "delete from moves where seq = 1",
        "delete from moves where seq = 5",
        "delete from moves",
        "update moves set seq = 9 where seq = 5",
    ],
)
def test_every_kind_of_tampering_is_found(tmp_path: Path, statement: str) -> None:
    """A row that was changed, taken out, moved or cut off at the end is a fault."""
    assert tampered(tmp_path, statement)


@pytest.mark.parametrize("statement", ["update moves set kind = 'x'", "delete from moves"])
def test_sqlite_itself_refuses_to_change_rows(tmp_path: Path, statement: str) -> None:
    """The database is append-only even for somebody who speaks SQL to it."""
    filled(tmp_path).close()
    db = sqlite3.connect(tmp_path / "ledger.sqlite3")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    db.close()


def test_a_head_that_lags_behind_is_no_fault(tmp_path: Path) -> None:
    """A crash between the row and the head file leaves a true, if old, head."""
    ledger = filled(tmp_path)
    old = (tmp_path / "ledger.head").read_text()
    ledger.append("requested", 6)
    (tmp_path / "ledger.head").write_text(old)
    assert ledger.faults() == []
    ledger.close()


@pytest.mark.parametrize("spoil", [lambda p: p.write_text("nonsense"), lambda p: p.unlink()])
def test_a_spoiled_head_is_a_fault(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Without a readable head nobody could tell whether the last rows are missing."""
    ledger = filled(tmp_path)
    spoil(tmp_path / "ledger.head")
    assert ledger.faults()
    ledger.close()


def test_a_file_that_is_no_database_is_a_clear_problem(tmp_path: Path) -> None:
    """A damaged ledger is named, not overwritten."""
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(LedgerProblem, match="cannot be opened"):
        Ledger(tmp_path)


def test_a_ledger_that_can_be_written_is_fit(tmp_path: Path) -> None:
    """Asking whether it can be written leaves no trace in it."""
    ledger = filled(tmp_path)
    assert ledger.unfit() == ""
    assert len(list(ledger.moves())) == 5
    assert ledger.faults() == []
    ledger.close()


def test_a_ledger_that_cannot_be_written_is_not_fit(tmp_path: Path) -> None:
    """While somebody else holds it, nothing may be decided on it."""
    ledger = filled(tmp_path)
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("begin exclusive")
    assert "cannot be written" in ledger.unfit()
    other.close()
    assert ledger.unfit() == ""
    ledger.close()


def test_a_clock_before_the_last_row_makes_it_unfit(tmp_path: Path) -> None:
    """A row from the future means that the clock was set back, and times would lie."""
    filled(tmp_path).close()
    db = sqlite3.connect(tmp_path / "ledger.sqlite3")
    db.execute("insert into moves values (6, '2999-01-01T00:00:00+00:00', 'x', null, '{}', '', '')")
    db.commit()
    db.close()
    ledger = Ledger(tmp_path)
    assert "set the clock right" in ledger.unfit()
    ledger.close()
