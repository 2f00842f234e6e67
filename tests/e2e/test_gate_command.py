"""The `gate` command, as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.types import Sandbox
from tests.e2e.gate_world import opened_sandbox
from tests.fakes.small_repo import GREET, RULES, SmallRepo

__all__ = ["opened_sandbox"]

ROOT = Path(__file__).resolve().parents[2]


def gate(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command from another folder."""
    program = "import sys; from selfedit.gate.command import main; sys.exit(main(sys.argv[1:]))"
    own = {**os.environ, "PYTHONPATH": str(ROOT), "THESEUS_HOME": str(home), **environment}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=own,
        cwd=home,
        check=False,
    )


@pytest.fixture
def small(tmp_path: Path) -> SmallRepo:
    """A small repository, with rules for it beside it."""
    (tmp_path / "rules.toml").write_text(RULES)
    return SmallRepo(tmp_path / "repo")


def asked(small: SmallRepo, head: str, *more: str) -> list[str]:
    """The arguments that ask for a judgement."""
    rules = str(small.root.parent / "rules.toml")
    return ["--repo", str(small.root), "--base", "main", "--head", head, "--rules", rules, *more]


def test_the_report_is_json_with_what_was_promised(
    small: SmallRepo, sandbox_home: Path, opened_sandbox: Sandbox
) -> None:
    """With --json the output is the report and nothing else, and the exit code says its verdict."""
    choice = opened_sandbox.info.backend
    done = gate(
        *asked(small, small.edit(GREET, "Hello,", "Bye,"), "--json"),
        home=sandbox_home,
        THESEUS_SANDBOX=choice,
    )
    report = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert report["verdict"] == "failed"
    assert report["base"] == small.base
    assert report["sandbox"]["backend"] == choice
    assert {"head", "tree", "policy"} <= report.keys()
    tests = next(check for check in report["checks"] if check["name"] == "tests")
    assert tests.keys() == {"name", "passed", "seconds", "summary", "findings"}
    assert tests["findings"][0].keys() == {"rule", "severity", "path", "line", "message"}
    done = gate(
        *asked(small, small.edit(GREET, "Say hello", "Greet")), home=sandbox_home, THESEUS_SANDBOX=choice
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("passed")


def test_a_refusal_needs_no_sandbox(small: SmallRepo, tmp_path: Path) -> None:
    """The policy's no is an answer where no engine is, and exits with 1."""
    head = small.edit("app/core.py", "Run some", "Run")
    done = gate(
        *asked(small, head, "--json"), home=tmp_path, DOCKER_HOST="unix:///nowhere", THESEUS_SANDBOX="docker"
    )
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "refused")


@pytest.mark.parametrize(
    ("more", "environment", "word"),
    [
        ([], {"DOCKER_HOST": "unix:///nowhere/docker.sock", "THESEUS_SANDBOX": "docker"}, "engine"),
        ([], {"THESEUS_SANDBOX": "chroot"}, "THESEUS_SANDBOX"),
        (["--head", "nobody"], {}, "nobody"),
        (["--repo", "/nowhere"], {}, "/nowhere"),
        (["--rules", "/nowhere/rules.toml"], {}, "/nowhere/rules.toml"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_sentence(
    small: SmallRepo, tmp_path: Path, more: list[str], environment: dict[str, str], word: str
) -> None:
    """No sandbox, no such commit, repository or rules: exit code 2, a sentence on stderr, and JSON all the same."""
    head = small.edit(GREET, "Say hello", "Greet")
    done = gate(*asked(small, head, "--json", *more), home=tmp_path, **environment)
    assert done.returncode == 2, done.stdout
    assert json.loads(done.stdout)["verdict"] == "unknown"
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
