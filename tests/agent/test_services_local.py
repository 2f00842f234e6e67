"""Code runs in the sandbox or not at all; databases and files are read, and nothing beside them."""

import contextlib
import os
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.services.data import Databases
from agent.services.files import MOST_BYTES, MOST_CHARS, Folder
from agent.services.lend import open_services
from agent.services.runner import SandboxRunner
from agent.tool import Part, ToolRefused
from policies.load import ServiceRules, load_rules
from sandbox.types import Command, Outcome, Sandbox, SandboxUnavailable
from tests.fakes.local_sandbox import LocalSandbox

RULES = load_rules().services


def ruled(**changed: object) -> ServiceRules:
    return ServiceRules(**{**RULES.model_dump(), **changed})


class Telling(LocalSandbox):
    """Notes what it is asked to run, and answers what it is told to."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        super().__init__()
        self.commands: list[Command] = []
        self._outcome = outcome

    async def run(self, command: Command) -> Outcome:
        """Note the command."""
        self.commands.append(command)
        return self._outcome or await super().run(command)


def runner(sandbox: Telling) -> SandboxRunner:
    async def opened() -> Sandbox:
        return sandbox

    return SandboxRunner(opened, RULES)


async def test_a_program_is_run_and_told_of() -> None:
    """What a program printed and how it ended is told, its errors included."""
    told = await runner(Telling()).python("print('h\u00e9llo')\nraise SystemExit(3)", 5)
    assert "exit code 3" in told
    assert "h\u00e9llo" in told
    assert "ZeroDivisionError" in await runner(Telling()).python("1/0", 5)


async def test_a_program_gets_small_limits_and_no_more_time_than_allowed() -> None:
    """Whoever asks for an hour gets what the rules allow."""
    sandbox = Telling(Outcome(exit_code=0))
    await runner(sandbox).python("pass", 3600)
    limits = sandbox.commands[0].limits
    assert limits.seconds == RULES.run_seconds
    assert limits.memory_mb == RULES.run_memory_mb
    assert limits.processes <= 16


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(exit_code=None, timed_out=True), "longest it may take"),
        (Outcome(exit_code=137, out_of_memory=True), "MiB of memory"),
        (Outcome(exit_code=None), "from outside"),
        (Outcome(exit_code=0, stdout=b"x" * 9, truncated=True), "the rest is dropped"),
        (Outcome(exit_code=0, stdout=b"a\xff\x1b[31m\x00"), "a\ufffd[31m"),
    ],
)
async def test_each_way_to_end_is_said(outcome: Outcome, said: str) -> None:
    """A model hears why there is no more, and gets no characters that nobody sees."""
    assert said in await runner(Telling(outcome)).python("pass", 1)


async def test_without_a_sandbox_nothing_runs() -> None:
    """No sandbox is a refusal that says what to install."""

    async def none() -> Sandbox:
        raise SandboxUnavailable("install Docker")

    with pytest.raises(ToolRefused, match="install Docker"):
        await SandboxRunner(none, RULES).python("print(1)", 5)


@pytest.mark.parametrize("code", ["", "  \n", "x" * 50_001])
async def test_no_program_and_too_long_a_program_are_refused(code: str) -> None:
    """Before anything is started."""
    sandbox = Telling()
    with pytest.raises(ToolRefused):
        await runner(sandbox).python(code, 5)
    assert sandbox.commands == []


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "the shop #1.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "CREATE TABLE orders (id INTEGER, what TEXT); INSERT INTO orders VALUES (1, 'bread'), (2, NULL);"
            "CREATE VIEW big AS SELECT * FROM orders WHERE id > 1;"
        )
    return file


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


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "secret.txt").write_text("SECRET")
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "plan.md").write_text("the plan\u200b\n")
    (root / "binary").write_bytes(b"\xff\xfe\x00")
    (root / "large").write_bytes(b"x" * 2000)
    (root / "link").symlink_to("../secret.txt")
    (root / "inner").symlink_to("notes")
    (root / "up").symlink_to("..")
    with contextlib.suppress(PermissionError):  # a sandbox may not allow pipes; then the name leads nowhere
        os.mkfifo(root / "pipe")
    return Folder(root)


async def test_a_file_inside_is_read(folder: Folder) -> None:
    """Its text comes as people see it."""
    assert await folder.read("notes/plan.md", 1000) == Part("the plan", shown=1, lines=1)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../secret.txt",
            "notes/../../secret.txt",
            "/etc/passwd",
            "",
            ".",
            "..",
            "notes/",
            "notes//plan.md",
            "./notes/plan.md",
        ),
        *(
            "link",
            "inner/plan.md",
            "up/secret.txt",
            "notes",
            "pipe",
            "binary",
            "gone",
            "notes/plan.md/x",
            "a\x00b",
            "..\\secret.txt",
        ),
        *("~/x", "large", "x" * 300, "a/" * 500, "\ud800"),
    ],
)
async def test_no_path_leads_out_or_to_what_is_no_text(folder: Folder, path: str) -> None:
    """Links, pipes, folders, large files and whatever leads outside are refused."""
    with pytest.raises(ToolRefused):
        await folder.read(path, 1000)


async def test_not_even_a_wish_lifts_the_hard_limit(folder: Folder) -> None:
    """A file above the hard limit, which is 100 MiB, is not read, however much was asked for."""
    with pytest.raises(ToolRefused, match="1,500 bytes"):
        await Folder(folder._root, most_bytes=1500).read("large", 10**12)
    assert MOST_BYTES == 100 * 2**20


@pytest.mark.parametrize("end", ["", "\n"])
async def test_the_parts_of_a_file_are_the_file(folder: Folder, end: str) -> None:
    """Each part begins where the one before it ends, wherever the pieces end in which it is read."""
    lines = [f"{at}" + "\u00e9\U0001f35e" * (at % 97) for at in range(2000)]
    (folder._root / "long").write_text("\n".join(lines) + end)
    found: list[str] = []
    while len(found) < len(lines):
        part = await folder.read("long", 10**6, len(found) + 1, 300)
        assert (part.shown, part.lines) == (min(300, len(lines) - len(found)), len(lines))
        found += part.text.split("\n")
    assert found == lines
    assert await folder.read("long", 10**6, 2001) == Part("", shown=0, lines=2000)


async def test_long_lines_come_fewer_at_a_time(folder: Folder) -> None:
    """No more characters are handed out than a model could take in, and the count of lines says where to go on."""
    (folder._root / "wide").write_text("\n".join("x" * 60_000 for _ in range(5)))
    part = await folder.read("wide", 10**6)
    assert (part.shown, part.lines, len(part.text)) == (2, 5, MOST_CHARS + 1)
    assert part.text.endswith("x…")
    (folder._root / "empty").write_text("")
    assert await folder.read("empty", 10**6) == Part("", shown=0, lines=0)


async def test_a_large_file_is_never_held_as_a_whole(folder: Folder) -> None:
    """What reading takes of memory has nothing to do with the size of the file."""
    (folder._root / "huge").write_bytes(b"ab\n" * 2_000_000)
    tracemalloc.start()
    try:
        part = await folder.read("huge", 10**7, 1_999_999)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert part == Part("ab\nab", shown=2, lines=2_000_000)
    assert peak < 1_000_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.lists(
        st.sampled_from(["..", ".", "", "up", "inner", "link", "notes", "secret.txt", "plan.md", "~"])
    ).map("/".join)
)
async def test_no_combination_reads_the_secret(folder: Folder, path: str) -> None:
    """Whatever is put together of the parts, the file outside is never read."""
    with contextlib.suppress(ToolRefused):
        assert "SECRET" not in (await folder.read(path, 1000)).text


async def test_services_are_lent_as_the_rules_say(tmp_path: Path) -> None:
    """Databases are lent only where the rules name some; closing lets go of everything."""

    async def none() -> Sandbox:
        raise SandboxUnavailable("none")

    rules = load_rules()
    services = open_services(rules, tmp_path, none)
    assert set(services.lent) == {"web", "api", "runner", "files"}
    await services.close()
    some = rules.model_copy(update={"services": ruled(databases={"shop": "shop.db"}, folder="")})
    services = open_services(some, tmp_path, none, exa_key="key")
    assert set(services.lent) == {"web", "api", "runner", "data"}
    await services.close()
