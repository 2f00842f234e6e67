"""One folder is read in parts, and no path leads out of it."""

import contextlib
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.services.files import MOST_BYTES, MOST_CHARS, Folder
from agent.tool import Part, ToolRefused


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
