"""The operator's command line: exit codes, one sentence for each thing that cannot be, and what `verify` sees."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.desk_world import ROLL
from tests.fakes.world import clone


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository for all tests here; none of them moves its branch."""
    return clone(tmp_path_factory.mktemp("cli") / "repo")


def selfedit(root: Path, home: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "selfedit", *args],
        cwd=root,
        env={"PATH": os.environ["PATH"], "HOME": str(root.parent), "THESEUS_HOME": home, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that could not find out said: a single line, no number of an error, no traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    said = done.stderr.strip()
    assert len(said.splitlines()) == 1, said
    assert "Errno" not in said
    return said


def test_a_verdict_that_nobody_could_give_exits_with_2(root: Path, tmp_path: Path) -> None:
    """A change that could not be judged is neither done nor refused."""
    edits = tmp_path / "edits.json"
    edits.write_text(f'[{{"op": "set_constant", "path": "{ROLL}", "target": "MOST_DICE", "value": "90"}}]')
    nowhere = {"THESEUS_SANDBOX": "docker", "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = selfedit(root, str(tmp_path / "home"), "improve", "--edits", str(edits), **nowhere)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Gate: unknown" in done.stdout


def test_edits_that_are_not_there_are_one_sentence(root: Path, tmp_path: Path) -> None:
    """A missing file is named, with what is wanted."""
    said = sentence(selfedit(root, str(tmp_path / "home"), "improve", "--edits", "/nowhere/edits.json"))
    assert "/nowhere/edits.json" in said


@pytest.mark.parametrize(
    "home", ["a/file", "state", "~nobody-at-all/x", "/proc/theseus", "{file}", "{file}/in"]
)
def test_a_state_folder_that_cannot_be_is_one_sentence(root: Path, tmp_path: Path, home: str) -> None:
    """A file, a path below a file, a relative path, an unknown user, a place that takes no folders: each is said."""
    file = tmp_path / "file"
    file.touch()
    assert "THESEUS_HOME" in sentence(selfedit(root, home.format(file=file), "status"))


def test_a_state_folder_that_takes_no_files_is_one_sentence(root: Path) -> None:
    """A folder that is there and cannot be written to is named before anything is tried in it."""
    assert "/sys/kernel" in sentence(selfedit(root, "/sys/kernel", "status"))


def test_an_empty_state_folder_setting_is_none(root: Path) -> None:
    """An empty THESEUS_HOME, as an `.env` file may have it, means the folder below the user's own."""
    done = selfedit(root, "", "status")
    assert done.returncode == 0, done.stderr
    assert str(root.parent / ".local/state/theseus") in done.stdout


def test_the_gate_says_once_what_it_cannot_judge(root: Path, tmp_path: Path) -> None:
    """A revision that is not there is named in one sentence, and that is all."""
    done = selfedit(root, str(tmp_path / "home"), "gate", "--repo", ".", "--base", "main", "--head", "nope")
    assert "nope" in sentence(done)
    assert done.stdout == ""


def test_a_library_of_the_same_name_in_the_root_is_not_taken(root: Path, tmp_path: Path) -> None:
    """A `json.py` that lies about in the repository breaks nothing, and `verify` names it."""
    copy = shutil.copytree(root, tmp_path / "repo")
    home = str(tmp_path / "home")
    assert selfedit(copy, home, "status").returncode == 0
    (copy / "json.py").write_text("raise SystemExit('this is not the json that was meant')\n")
    assert selfedit(copy, home, "status").returncode == 0
    verified = selfedit(copy, home, "verify")
    assert verified.returncode == 1, verified.stderr
    assert "json.py" in verified.stdout


@pytest.mark.parametrize(
    "path", ["policies/extra.py", "bot/live/ignored.py", "selfedit/ignored.pyc", "bot/live/roll/linked"]
)
def test_verify_names_strangers_among_the_code(root: Path, tmp_path: Path, path: str) -> None:
    """A file that git does not know, ignored or not, in a kernel folder or a live one, is named."""
    copy = shutil.copytree(root, tmp_path / "repo")
    home = str(tmp_path / "home")
    selfedit(copy, home, "status")
    assert selfedit(copy, home, "verify").returncode == 0
    (copy / ".git/info/exclude").write_text("ignored*\n")
    if path.endswith("linked"):
        (copy / path).symlink_to(tmp_path)
    else:
        (copy / path).touch()
    verified = selfedit(copy, home, "verify")
    assert verified.returncode == 1
    assert path in verified.stdout


def test_live_features_do_not_know_each_other(root: Path, tmp_path: Path) -> None:
    """The import contracts hold as the tree is, and are broken by a feature that imports another."""
    copy = shutil.copytree(root, tmp_path / "repo")
    assert lint_imports(copy).returncode == 0
    feature = copy / "bot/live/help/feature.py"
    feature.write_text(feature.read_text() + "\nfrom bot.live.roll.feature import parse\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "live features do not know each other BROKEN" in done.stdout


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "lint-imports")
    return subprocess.run(
        [program, "--no-cache"],
        cwd=root,
        env={"PATH": os.environ["PATH"], "HOME": str(root.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
