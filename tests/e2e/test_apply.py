"""The `apply` command on real folders, and the soak of replacements in short."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Answer = tuple[int, dict[str, Any], str]
SET = {"op": "set_constant", "path": "a.py", "target": "x", "value": "2"}


def apply(root: Path, edits: object, *flags: str, **options: Any) -> Answer:
    """Run the command with edits on its standard input; its exit code, its JSON and its words."""
    text = edits if isinstance(edits, bytes) else json.dumps(edits).encode()
    command = [sys.executable, "-m", "selfedit", "apply", "--root", str(root), "-", *flags]
    ended = subprocess.run(command, input=text, capture_output=True, cwd=ROOT, check=False, **options)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr.decode()


def rule(answer: Answer) -> str:
    """The rule of a rejection, which has an exit code of 1 and one sentence on standard error."""
    code, said, words = answer
    assert (code, said["applied"], words.count("\n")) == (1, False, 1), answer
    found: str = said["rejection"]["rule"]
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with two modules."""
    (tmp_path / "a.py").write_bytes(b"x = 1\r\n")
    (tmp_path / "b.py").write_bytes(b"from a import x\n")
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a folder, also hidden ones."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_edits_are_written_with_their_mode_and_newlines(tree: Path) -> None:
    """Applied edits change files in place; modes and newlines stay, folders of new files are made."""
    (tree / "a.py").chmod(0o750)
    new = {"op": "create_module", "path": "deep/er/c.py", "source": "y = 1"}
    assert apply(tree, [SET, new]) == (
        0,
        {"applied": True, "files": ["a.py", "deep/er/c.py"], "notes": [], "check": False},
        "",
    )
    assert contents(tree) == {"a.py": b"x = 2\r\n", "b.py": b"from a import x\n", "deep/er/c.py": b"y = 1\n"}
    assert (tree / "a.py").stat().st_mode & 0o777 == 0o750


def test_check_writes_nothing(tree: Path) -> None:
    """With --check the answer is the same and the files are too."""
    before = contents(tree)
    code, said, _ = apply(tree, {"edits": [SET]}, "--check")
    assert (code, said["files"], said["check"], contents(tree)) == (0, ["a.py"], True, before)


def test_nothing_is_written_when_one_edit_is_rejected(tree: Path) -> None:
    """The first edit of a list is not written when the second one fails."""
    before = contents(tree)
    code, said, words = apply(tree, [SET, SET | {"target": "y"}])
    assert (code, said["rejection"]["index"], said["rejection"]["rule"]) == (1, 1, "unknown_target")
    assert words.startswith("Edit 1 (set_constant, a.py): there is no `y`")
    assert contents(tree) == before


def test_a_renaming_follows_references_on_disk(tree: Path) -> None:
    """Files that no edit names are read, and written, for a renaming; caches and environments are not."""
    (tree / ".venv").mkdir()
    (tree / ".venv" / "c.py").write_text("from a import x\n")
    code, said, _ = apply(tree, [{"op": "rename_symbol", "path": "a.py", "target": "x", "name": "z"}])
    assert (code, said["files"]) == (0, ["a.py", "b.py"])
    assert contents(tree) == {
        "a.py": b"z = 1\r\n",
        "b.py": b"from a import z\n",
        ".venv/c.py": b"from a import x\n",
    }


def test_a_renaming_in_a_live_tree_stays_in_live_code(tree: Path) -> None:
    """Where there are live folders, references are followed in these alone."""
    for path, text in {
        "bot/live/a.py": "y = 1\n",
        "bot/live/b.py": "from bot.live.a import y\n",
        "bot/c.py": "y = 2 +\n",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    rename = {"op": "rename_symbol", "path": "bot/live/a.py", "target": "y", "name": "z"}
    assert apply(tree, [rename])[1]["files"] == ["bot/live/a.py", "bot/live/b.py"]


def test_imports_of_the_repository_are_sorted_as_its_own(tree: Path) -> None:
    """A folder beside the file is a package of this repository, not of somebody else."""
    (tree / "agent").mkdir()
    (tree / "bot").mkdir()
    (tree / "b.py").write_bytes(b"import os\n\nimport discord\n\nimport bot\n")
    edit = {"op": "add_import", "path": "b.py", "statement": "import agent"}
    assert apply(tree, [edit, edit | {"statement": "import aiohttp"}])[0] == 0
    assert (
        tree / "b.py"
    ).read_text() == "import os\n\nimport aiohttp\nimport discord\n\nimport agent\nimport bot\n"


def test_links_and_odd_files_are_refused(tree: Path) -> None:
    """Symbolic links, folders in a file's place and files in a folder's place are refused by name."""
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("x = 1\n")
    (tree / "link.py").symlink_to(tree / "a.py")
    (tree / "out").symlink_to(outside)
    (tree / "folder.py").mkdir()
    os.mkfifo(tree / "pipe.py")
    for path, wanted in {
        "link.py": "symlink",
        "out/a.py": "symlink",
        "out/new.py": "symlink",
        "folder.py": "not_a_file",
        "pipe.py": "not_a_file",
        "a.py/b.py": "not_a_folder",
        "../outside/a.py": "path_syntax",
        f"{outside}/a.py": "path_syntax",
        "missing.py": "unknown_path",
    }.items():
        assert rule(apply(tree, [SET | {"path": path}])) == wanted, path
    assert (outside / "a.py").read_text() == "x = 1\n"
    assert sorted(path.name for path in outside.iterdir()) == ["a.py"]


def test_files_that_are_no_source_are_refused(tree: Path) -> None:
    """What is not UTF-8 or too large to be edited is refused with its name."""
    (tree / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    (tree / "large.py").write_bytes(b"x = 1\n" + b"#" * 1_000_000)
    assert rule(apply(tree, [SET | {"path": "latin.py"}])) == "not_utf8"
    assert rule(apply(tree, [SET | {"path": "large.py"}])) == "too_large"


@pytest.mark.parametrize(
    "edits",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"3",
        b'[{"op": "explode"}]',
        b'{"edits": {}}',
        b"[" * 100_000,
        b"\xff",
        b"null",
    ],
)
def test_what_is_no_list_of_edits_is_refused(tree: Path, edits: bytes) -> None:
    """JSON of the wrong shape, and what is no JSON, ends in one sentence."""
    assert rule(apply(tree, edits)) == "malformed_edits"


def test_100_mb_of_json_are_refused(tree: Path) -> None:
    """A huge list is refused by its size."""
    (tree / "edits.json").write_bytes(b"")
    os.truncate(tree / "edits.json", 100_000_000)
    command = [sys.executable, "-m", "selfedit", "apply", "--root", str(tree), str(tree / "edits.json")]
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["rejection"]["rule"] == "too_large"


def test_a_call_that_makes_no_sense_exits_with_2(tree: Path) -> None:
    """No such folder, or no edits named, is a wrong call; a missing file of edits is a rejection."""
    assert apply(tree / "missing", [SET])[0] == 2
    alone = [sys.executable, "-m", "selfedit", "apply", "--root", str(tree)]
    assert subprocess.run(alone, capture_output=True, cwd=ROOT, check=False).returncode == 2
    missing = subprocess.run([*alone, "none.json"], capture_output=True, cwd=ROOT, check=False)
    assert (missing.returncode, json.loads(missing.stdout)["rejection"]["rule"]) == (1, "unreadable_edits")


def small_files_only() -> None:
    """Let this process write no file larger than a few bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


def test_a_write_that_fails_midway_is_undone(tree: Path) -> None:
    """When the last of three files cannot be written, all are what they were and nothing is left over."""
    before = contents(tree)
    large = {"op": "create_module", "path": "deep/c.py", "source": f"y = '{'y' * 200}'"}
    answer = apply(tree, [SET, large], preexec_fn=small_files_only)
    assert rule(answer) == "write_failed"
    assert contents(tree) == before
    assert sorted(path.name for path in tree.iterdir()) == ["a.py", "b.py"]


def test_functions_of_the_standard_library_are_replaced_without_a_trace() -> None:
    """A short run of the soak of replacements finds no miss."""
    command = [sys.executable, "scripts/soak/replacements.py", "--count", "60"]
    ended = subprocess.run(
        command,
        capture_output=True,
        cwd=ROOT,
        check=False,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 0, ended.stdout
    assert "60 functions" in ended.stdout
