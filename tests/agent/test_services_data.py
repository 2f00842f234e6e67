"""Databases are read, never changed, and no query takes longer or says more than is allowed."""

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from agent.services.data import Databases
from agent.tool import ToolRefused
from tests.agent.lent_here import RULES, ruled


async def test_tables_and_rows_are_read(shop: Path) -> None:
    """A model can see what there is, and read it."""
    data = Databases({"shop": shop}, RULES)
    assert await data.tables() == "shop.orders (id INTEGER, what TEXT)\nshop.big (id INTEGER, what TEXT)"
    assert await data.query("SELECT * FROM shop.orders ORDER BY id", 10) == "id | what\n1 | bread\n2 | NULL"
    assert (
        await data.query("WITH t AS (SELECT 1 AS a) SELECT upper('x'), a FROM t", 10)
        == "upper('x') | a\nX | 1"
    )
    assert "[no rows]" in await data.query("SELECT id FROM big WHERE id > 5", 10)


async def test_no_more_rows_than_asked_for(shop: Path) -> None:
    """The table says that there are more."""
    text = await Databases({"shop": shop}, ruled(query_rows=1)).query("SELECT id FROM orders ORDER BY id", 50)
    assert text == "id\n1\n[there are more than these 1 rows]"


@pytest.mark.parametrize(
    "sql",
    [
        *(
            "DELETE FROM shop.orders",
            "DROP TABLE shop.orders",
            "UPDATE orders SET id = 3",
            "INSERT INTO orders VALUES (3, 'x')",
        ),
        *(
            "CREATE TABLE shop.x (a)",
            "CREATE TEMP TABLE x (a)",
            "ATTACH '{other}' AS other",
            "ATTACH ':memory:' AS m",
            "DETACH shop",
        ),
        *(
            "PRAGMA query_only = OFF",
            "PRAGMA table_info(orders)",
            "SELECT * FROM pragma_database_list",
            "VACUUM INTO '{other}'",
        ),
        *(
            "VACUUM",
            "REINDEX",
            "BEGIN",
            "SAVEPOINT a",
            "SELECT load_extension('x')",
            "SELECT 1; DELETE FROM orders",
            "",
            ";",
            "--",
        ),
        *(
            "EXPLAIN DELETE FROM orders",
            "REPLACE INTO orders VALUES (1, 'x')",
            "ALTER TABLE orders RENAME TO o",
            "SELECT \x00",
            "\ud800",
        ),
        *(
            "SELECT readfile('/etc/passwd')",
            "WITH t AS (SELECT 1) DELETE FROM orders",
            "CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
        ),
    ],
)
async def test_anything_but_reading_is_refused(shop: Path, tmp_path: Path, sql: str) -> None:
    """No statement writes, opens another file or turns a setting."""
    before, other = shop.read_bytes(), tmp_path / "other.db"
    with pytest.raises(ToolRefused):
        await Databases({"shop": shop}, RULES).query(sql.replace("{other}", str(other)), 10)
    assert shop.read_bytes() == before
    assert not other.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
        "SELECT length(zeroblob(2000000000))",
        "SELECT replace(hex(zeroblob(400000)), '0', 'aaaaaaaa')",
    ],
)
async def test_a_query_without_end_or_measure_is_ended(shop: Path, sql: str) -> None:
    """Time and the size of values are bounded."""
    with pytest.raises(ToolRefused):
        await Databases({"shop": shop}, ruled(query_seconds=0.2)).query(sql, 10)


ENDLESS = "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT {0}, {0}, {0}, {0} FROM t"


@pytest.mark.parametrize(("value", "most"), [("hex(zeroblob(490000))", 3), ("zeroblob(980000)", 10)])
async def test_wide_rows_and_long_values_are_cut_as_they_come(shop: Path, value: str, most: int) -> None:
    """However large the values are, a result takes little memory, and a table little room."""
    data = Databases({"shop": shop}, ruled(query_seconds=60))
    tracemalloc.start()
    try:
        said = await data.query(ENDLESS.format(value), 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    rows = said.split("\n")
    assert rows[-1] == f"[there are more than these {len(rows) - 2} rows]"
    assert 40 <= len(rows) - 2 <= 60
    assert len(said) < 101_000
    assert peak < most * 1_000_000


async def test_a_result_has_so_many_columns(shop: Path) -> None:
    """What is wider than models can read is refused before anything of it is made."""
    data = Databases({"shop": shop}, RULES)
    assert (await data.query(f"SELECT {', '.join('1' * 100)}", 1)).count("|") == 198
    assert "too many columns" in await refused(data, f"SELECT {', '.join('1' * 101)}")


async def test_a_table_that_is_wider_can_be_asked_for_some_of_it(tmp_path: Path) -> None:
    """The bound is on what is read, not on what there is."""
    names = [f"c{at}" for at in range(300)]
    with closing(sqlite3.connect(tmp_path / "wide.db")) as connection:
        connection.execute(f"CREATE TABLE t ({', '.join(names)})")
        connection.execute(f"INSERT INTO t VALUES ({', '.join('7' for _ in names)})")  # noqa: S608 - as written here
        connection.commit()
    data = Databases({"wide": tmp_path / "wide.db"}, RULES)
    assert await data.query("SELECT c0, c299 FROM wide.t", 5) == "c0 | c299\n7 | 7"
    assert "c299" in await data.tables()
    assert "too many columns" in await refused(data, "SELECT * FROM wide.t")


async def refused(data: Databases, sql: str) -> str:
    """Why a query is refused."""
    with pytest.raises(ToolRefused) as caught:
        await data.query(sql, 10)
    return str(caught.value)


async def test_a_database_that_is_none_is_said(tmp_path: Path) -> None:
    """A missing file is not made, and neither it nor one that is no database is read."""
    (tmp_path / "text.db").write_text("no database at all, but long enough to look at" * 20)
    for name in ("text.db", "gone.db"):
        with pytest.raises(ToolRefused, match="cannot be opened"):
            await Databases({"a": tmp_path / name}, RULES).query("SELECT 1", 1)
    with pytest.raises(ToolRefused, match="no database"):
        await Databases({}, RULES).tables()
    assert not (tmp_path / "gone.db").exists()
