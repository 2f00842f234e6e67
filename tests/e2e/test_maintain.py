"""Maintenance in a real sandbox, on this repository's own live code."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.types import Sandbox
from selfedit.authors.maintain import Maintenance
from selfedit.editing.codemod import Applied, apply_edits
from selfedit.types import Draft, GateReport, NoDraft, Request
from tests.fakes.world import ROOT, clone

LIVE = ("agent/live", "bot/live", "tests/live")


class Bench:
    """Files to look at."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    async def trial(self, draft: Draft) -> GateReport:
        """Fails: maintenance leaves judging to the gate."""
        raise AssertionError(draft.title)


async def drafts(
    sandbox: Sandbox, files: dict[str, str], most: int
) -> tuple[dict[str, str], list[Draft], str]:
    """Take up to so many drafts, each applied before the next; the files then, the drafts, and the last word."""

    async def opened() -> Sandbox:
        return sandbox

    author = Maintenance(opened, set, lambda: (ROOT / "pyproject.toml").read_text("utf-8"))
    made: list[Draft] = []
    while len(made) < most:
        answer = await author.draft(Request(requested_by="console:me"), Bench(files), (), lambda _: None)
        if isinstance(answer, NoDraft):
            return files, made, answer.why
        applied = apply_edits(files, answer.edits)
        assert isinstance(applied, Applied)
        assert len(applied.files) == 1
        files = {**files, **applied.files}
        made.append(answer)
    return files, made, ""


def live_files() -> dict[str, str]:
    found = (path for folder in LIVE for path in sorted((ROOT / folder).rglob("*")))
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in found if p.suffix in (".py", ".md")}


async def test_a_real_sandbox_finds_an_improvement_with_all_tools(sandbox: Sandbox) -> None:
    """Inside, ruff, mypy and vulture are at hand, and what they find becomes a draft without a word of trouble."""
    loop = '"""A."""\n\n\ndef setup(registry: list[int]) -> list[int]:\n    """Start."""\n    found = []\n    for one in registry:\n        found.append(one * 2)\n    return found\n'
    files, made, why = await drafts(sandbox, {"bot/live/a/feature.py": loop}, 5)
    assert [draft.notes for draft in made] == [()]
    assert "return [one * 2 for one in registry]" in files["bot/live/a/feature.py"]
    assert why.startswith("Nothing to improve by itself was found in 1 live file.")


async def test_the_projects_live_code_converges_and_stays_good(
    docker_sandbox: Sandbox, tmp_path: Path
) -> None:
    """All drafts for this repository's live code, one on the other, end; then format, lint, types and tests pass."""
    before = live_files()
    files, made, why = await drafts(docker_sandbox, before, 200)
    assert why.startswith("Nothing to improve by itself was found")
    touched = [(edit.path, getattr(edit, "target", "")) for draft in made for edit in draft.edits]
    assert len(touched) == len(set(touched))
    root = clone(tmp_path / "repository", files=files)
    tools = Path(sys.executable).parent
    for argv in (
        [str(tools / "ruff"), "format", "--check", *LIVE],
        [str(tools / "ruff"), "check", *LIVE],
        [sys.executable, "-m", "mypy", "bot/live"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/live"],
    ):
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{argv}: {done.stdout[-2000:]}{done.stderr[-500:]}")
