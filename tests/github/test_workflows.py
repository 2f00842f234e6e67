"""The workflows: their steps, executed."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import bubblewrap_sandbox, caches, docker_sandbox, sandbox_home
from tests.fakes.small_repo import FILES, text
from tests.fakes.world import clone, git
from tests.github.runner import ROOT, Done, Runner, can_enclose

__all__ = ["bubblewrap_sandbox", "caches", "docker_sandbox", "sandbox_home"]

LIGHT = '[gate]\nchecks = ["format"]\n'
ROLL = "bot/live/roll/feature.py"
needs_walls = pytest.mark.skipif(not can_enclose(), reason="no bubblewrap here to enclose a step")


class Origin:
    """A repository on a forge, with a light gate, and what is proposed there."""

    def __init__(self, folder: Path, rules: str = LIGHT) -> None:
        self.root = clone(folder, rules)
        self.main = git(self.root, "rev-parse", "main")

    def branch(self, name: str, files: Mapping[str, str | None], on: str = "main") -> str:
        """Put a commit on a new branch; the commit."""
        git(self.root, "checkout", "--quiet", "-B", name, on)
        for path, content in files.items():
            if content is None:
                (self.root / path).unlink()
            else:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(content)
        git(self.root, "add", "--all")
        self._git("commit", "--quiet", "--message=a change")
        return git(self.root, "rev-parse", "HEAD")

    def merge(self, name: str, on: str, onto: str) -> str:
        """Merge a branch into the commit `on`, as the branch `onto`; the merge."""
        git(self.root, "checkout", "--quiet", "-B", onto, on)
        self._git("merge", "--quiet", "--no-ff", "--message=Merge", name)
        return git(self.root, "rev-parse", "HEAD")

    def text(self, path: str, at: str = "main") -> str:
        """A file as it stands on a branch."""
        return f"{git(self.root, 'show', f'{at}:{path}')}\n"

    def _git(self, *arguments: str) -> None:
        git(self.root, "-c", "user.name=Ann", "-c", "user.email=ann@localhost", *arguments)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return Origin(tmp_path_factory.mktemp("origin") / "theseus")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Runner:
    """A machine with a checkout of main and nothing installed, for what ends before that."""
    runner = Runner(tmp_path_factory.mktemp("bare"))
    runner.checkout(origin.root, origin.main)
    return runner


def pull_request(branch: str, base: str, head: str) -> dict[str, Any]:
    return {"head_ref": branch, "event": {"pull_request": {"base": {"sha": base}, "head": {"sha": head}}}}


def merge_group(base: str, head: str) -> dict[str, Any]:
    ref = "refs/heads/gh-readonly-queue/main/pr-7-abc"
    return {"event": {"merge_group": {"base_sha": base, "head_sha": head, "head_ref": ref}}}


def gate(folder: Path, origin: Origin, event: dict[str, Any], made: Path | None = None) -> Done:
    """What the job `gate` does on an event; `made` holds caches where it has to start a sandbox."""
    runner = Runner(folder / "machine", made, event, {} if made is None else _with_sandbox(folder, made))
    told = event["event"]
    base = told["merge_group"]["base_sha"] if "merge_group" in told else told["pull_request"]["base"]["sha"]
    runner.checkout(origin.root, base)
    runner.lend()
    return runner.run("proposal.yml", "gate")


def _with_sandbox(folder: Path, made: Path) -> dict[str, str]:
    """The sandbox of these tests, with what is worked out for it already; a runner has Docker and works it out."""
    state = folder / "machine" / "state"
    state.mkdir(parents=True)
    (state / "caches").symlink_to(made)
    return {"THESEUS_HOME": str(state), "THESEUS_SANDBOX": os.environ.get("THESEUS_SANDBOX") or "auto"}


@needs_walls
def test_an_honest_proposal_passes(tmp_path: Path, origin: Origin, caches: Path) -> None:
    """A change of live code that the gate passes ends the job with 0, and its summary says what was judged."""
    wish = origin.text(ROLL).replace("MOST_DICE = ", "MOST_DICE = 1 + ")
    head = origin.branch("improve/1-more-dice", {ROLL: wish})
    done = gate(tmp_path, origin, pull_request("improve/1-more-dice", origin.main, head), caches)
    assert done.code == 0, done.log
    assert f"passed: `{head[:12]}` on `{origin.main[:12]}`" in done.summary
    assert "| `format` | passed |" in done.summary
    assert done.commands == []


@needs_walls
def test_a_proposal_that_the_policy_refuses_fails_beside_its_line(tmp_path: Path, origin: Origin) -> None:
    """A refusal ends the job with 1, stands as an annotation on the line, and in the summary."""
    head = origin.branch("improve/2-reach", {ROLL: f"import os\n{origin.text(ROLL)}"})
    done = gate(tmp_path, origin, pull_request("improve/2-reach", origin.main, head))
    assert done.code == 1, done.log
    assert any(line.startswith("::error ") and f"file={ROLL},line=1" in line for line in done.commands)
    assert f"refused: `{head[:12]}`" in done.summary


CANARY = "canary-was-here"


@needs_walls
@pytest.mark.parametrize("branch", ["improve/3-judge", "revert/3-judge"])
def test_a_head_that_edits_its_judge_is_judged_by_the_judge_of_base(
    tmp_path: Path, origin: Origin, branch: str
) -> None:
    """Whatever a head does to the gate, its script, the workflow or files that tools read, none of it is executed."""
    shell = f"#!/bin/sh\ntouch {tmp_path}/machine/{CANARY}\nexit 0\n"
    python = f"import pathlib\n\npathlib.Path('{tmp_path}/machine/{CANARY}').touch()\nraise SystemExit(0)\n"
    head = origin.branch(
        branch,
        {
            "scripts/judge-proposal": shell,
            "scripts/setup": shell,
            "selfedit/gate/command.py": python,
            "selfedit/forge/github/job.py": python,
            "sitecustomize.py": python,
            "usercustomize.py": python,
            "conftest.py": python,
            "tests/conftest.py": python,
            ROLL: f"{python}{origin.text(ROLL)}",
            ".gitattributes": "* filter=canary diff=canary\n",
            ".github/workflows/proposal.yml": "on: pull_request\n",
            "policies/rules.toml": "[zones]\nlive = ['']\n",
        },
    )
    done = gate(tmp_path, origin, pull_request(branch, origin.main, head))
    assert done.code == 1, done.log
    assert f"refused: `{head[:12]}` on `{origin.main[:12]}`" in done.summary
    assert not (tmp_path / "machine" / CANARY).exists()
    assert any(line.startswith("::error ") for line in done.commands)


@needs_walls
def test_a_revert_may_take_back_what_a_proposal_may_not(tmp_path: Path, origin: Origin, caches: Path) -> None:
    """Taking a proposal back deletes its test, which no proposal may, and passes as what people commit does."""
    test = "tests/live/test_more.py"
    origin.branch("improve/4-more", {test: "def test_it() -> None:\n    assert True\n"})
    merged = origin.merge("improve/4-more", origin.main, "main-4")
    head = origin.branch("revert/4-more", {test: None}, on=merged)
    done = gate(tmp_path, origin, pull_request("revert/4-more", merged, head), caches)
    assert done.code == 0, done.log
    refused = tmp_path / "refused"
    refused.mkdir()
    done = gate(refused, origin, pull_request("improve/5-less", merged, head))
    assert done.code == 1, done.log


@needs_walls
def test_what_of_a_head_is_executed_is_executed_in_the_sandbox(tmp_path: Path, caches: Path) -> None:
    """A test of the head runs, and what it writes where the job could see it, is nowhere to be seen there."""
    test = "tests/live/test_canary.py"
    rules = f'[gate]\nchecks = ["tests"]\ntests = ["{test}"]\ntests_of_people = ["{test}"]\n'
    origin = Origin(tmp_path / "origin", rules)
    program = f"""
        import contextlib
        from pathlib import Path


        def test_it_tries() -> None:
            for place in ("{tmp_path}/machine", "{tmp_path}/machine/home", "{tmp_path}/machine/tmp"):
                with contextlib.suppress(OSError):
                    (Path(place) / "{CANARY}-{os.getpid()}").touch()
    """
    first = origin.branch("main-10", {test: text(program)})
    later = origin.branch("main-11", {test: "def test_it() -> None:\n    assert True\n"}, on=first)
    head = origin.branch("revert/10-it", {test: text(program)}, on=later)
    done = gate(tmp_path, origin, pull_request("revert/10-it", later, head), caches)
    assert done.code == 0, done.log
    assert "| `tests` | passed |" in done.summary
    assert not list((tmp_path / "machine").rglob(f"{CANARY}-*"))


@needs_walls
def test_a_group_of_the_queue_is_judged_proposal_by_proposal(tmp_path: Path, origin: Origin) -> None:
    """In a merge group what people propose is theirs, and what comes from a branch of Theseus is judged, onto what it follows."""
    people = {"README.md": "Mine.\n", "selfedit/authors/person.py": '"""Mine."""\n'}
    origin.branch("ann/kernel", people)
    first = origin.merge("ann/kernel", origin.main, "gh-readonly-queue/main/pr-6-abc")
    done = gate(tmp_path, origin, merge_group(origin.main, first))
    assert (done.code, "Nothing in this group" in done.summary) == (0, True), done.log
    origin.branch("improve/6-reach", {ROLL: f"import os\n{origin.text(ROLL)}"})
    second = origin.merge("improve/6-reach", first, "gh-readonly-queue/main/pr-7-abc")
    later = tmp_path / "later"
    later.mkdir()
    done = gate(later, origin, merge_group(origin.main, second))
    assert done.code == 1, done.log
    assert f"refused: `{second[:12]}` on `{first[:12]}`" in done.summary


@needs_walls
@pytest.mark.parametrize("branch", ["ann/tidy", "improve", "x/improve/1-a", "$(touch canary)", "::error::x"])
def test_on_any_other_branch_the_job_passes_at_once(bare: Runner, origin: Origin, branch: str) -> None:
    """A required job has to report: where there is nothing of Theseus it says so, sets nothing up, and passes."""
    runner = replace(bare, event=pull_request(branch, origin.main, "f" * 40))
    done = runner.run("proposal.yml", "gate")
    assert done.code == 0, done.log
    assert "no proposal of Theseus" in done.summary
    assert (done.commands, git(runner.workspace, "status", "--porcelain", "--ignored")) == ([], "")


@needs_walls
@pytest.mark.parametrize(
    ("head", "said"),
    [("f" * 40, "cannot be fetched"), ("--upload-pack=x", "full hashes"), ("", "full hashes")],
)
def test_what_cannot_be_judged_is_never_a_pass(bare: Runner, origin: Origin, head: str, said: str) -> None:
    """A head that is gone, or is no commit, ends the job with 2."""
    done = replace(bare, event=pull_request("improve/8-gone", origin.main, head)).run("proposal.yml", "gate")
    assert done.code == 2
    assert said in done.log


@needs_walls
def test_a_checkout_that_is_not_base_does_not_judge(tmp_path: Path, origin: Origin) -> None:
    """Were the head checked out, or base edited, the script would not start anything of it."""
    head = origin.branch("improve/9-any", {ROLL: origin.text(ROLL).replace("100", "101")})
    runner = Runner(tmp_path / "machine", None, pull_request("improve/9-any", origin.main, head))
    runner.checkout(origin.root, head)
    runner.lend()
    done = runner.run("proposal.yml", "gate")
    assert (done.code, "only that may judge" in done.log) == (2, True)


SMALL = {name: content for name, content in FILES.items() if not name.startswith(("bot/", "app/vault"))} | {
    "pyproject.toml": FILES["pyproject.toml"].partition("[tool.importlinter]")[0]
}


@needs_walls
@pytest.mark.parametrize("fault", ["", "assert False"])
def test_the_job_check_says_what_the_tests_say(tmp_path: Path, fault: str) -> None:
    """scripts/test, run by check.yml's own step on a small repository, is green there, and red with a failing test."""
    origin = tmp_path / "small"
    whole = {path: text(content) for path, content in SMALL.items()}
    whole["pyproject.toml"] = whole["pyproject.toml"].replace(*QUIET) + text(IMPORTS)
    whole["tests/test_more.py"] = f"def test_more() -> None:\n    {fault or 'assert True'}\n"
    for path, content in whole.items():
        (origin / path).parent.mkdir(parents=True, exist_ok=True)
        (origin / path).write_text(content)
    for path in COPIED:
        (origin / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, origin / path)
    (origin / ".gitignore").write_text(".venv\n")
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "add", "--all")
    git(
        origin,
        "-c",
        "user.name=Ann",
        "-c",
        "user.email=ann@localhost",
        "commit",
        "--quiet",
        "--message=start",
    )
    runner = Runner(tmp_path / "machine")
    runner.checkout(origin, "main")
    runner.lend()
    done = runner.run("check.yml", "check")
    assert done.code == (1 if fault else 0), done.log
    for step in ("format", "lint", "types", "import contracts"):
        assert re.search(rf"^{step} +passed", done.log, re.MULTILINE), done.log
    assert re.search(rf"^tests +{'FAILED' if fault else 'passed'}", done.log, re.MULTILINE)


QUIET = ('filterwarnings = ["error"]', 'filterwarnings = ["error", "ignore::DeprecationWarning"]')
"""The libraries of other tests are loaded as plugins of pytest, and are not the subject here."""
IMPORTS = """
    [tool.importlinter]
    root_package = "app"

    [[tool.importlinter.contracts]]
    name = "the core knows nothing of live code"
    type = "forbidden"
    source_modules = ["app.core"]
    forbidden_modules = ["app.live"]
"""
COPIED = (
    *("scripts/setup", "scripts/test", "tests/e2e/npm/package-lock.json"),
    *("requirements.lock", "requirements-local.lock", "requirements-counterparts.lock"),
)


@needs_walls
def test_the_setup_script_writes_who_owns_what(tmp_path: Path, origin: Origin) -> None:
    """scripts/github-setup --owners asks nobody, writes the one file, and takes no name that GitHub would not know."""
    runner = Runner(tmp_path / "machine")
    runner.checkout(origin.root, origin.main)
    runner.lend()
    assert runner.shell("scripts/github-setup --owners @ann @harbour/crew").code == 0
    assert git(runner.workspace, "status", "--porcelain") == " M .github/CODEOWNERS"
    assert "* @ann @harbour/crew\n" in (runner.workspace / ".github/CODEOWNERS").read_text()
    refused = runner.shell("scripts/github-setup --owners 'ann; true'")
    assert (refused.code, "names nobody on GitHub" in refused.log) == (2, True)
