"""Who tests the tester, part two: each part of the gate is taken out, and a cheat that it held lands."""

import hashlib
import hmac
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from sandbox.types import Outcome, Sandbox
from selfedit.gate import evidence
from selfedit.gate.evidence import Step
from selfedit.gate.inside.report import MARK
from tests.e2e.conftest import bubblewrap_sandbox, docker_sandbox, sandbox_home
from tests.e2e.gate_world import opened_sandbox
from tests.gate.walls import Swaps, walls

__all__ = ["bubblewrap_sandbox", "docker_sandbox", "opened_sandbox", "sandbox_home"]

ROOT = Path(__file__).parents[2]
NEEDED = ("policies", "sandbox", "selfedit", "tests/fakes", "tests/gate")
WALLS = walls(time.time(), sys.implementation.cache_tag)


def copy_without(folder: Path, swaps: Swaps) -> Path:
    """A copy of what judges, in which some parts are missing."""
    for name in NEEDED:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "cheats", "honest")
        )
    shutil.copy(ROOT / "tests" / "__init__.py", folder / "tests" / "__init__.py")
    for name, before, after in swaps:
        file = folder / "selfedit" / "gate" / name
        source = file.read_text("utf-8")
        assert source.count(before) == 1, f"{name} has no such part any more: {before}"
        file.write_text(source.replace(before, after), "utf-8")
    return folder


@pytest.mark.parametrize("name", WALLS)
def test_without_a_wall_its_cheat_lands(
    name: str, tmp_path: Path, opened_sandbox: Sandbox, sandbox_home: Path
) -> None:
    """A cheat is caught by the part that is there for it, and passes when that part alone is taken out."""
    wall = WALLS[name]
    backend = opened_sandbox.info.backend
    if wall.docker and backend != "docker":
        pytest.skip("only an engine can show it")
    said = []
    for number, swaps in enumerate([(), wall.without]):
        work = tmp_path / f"work{number}"
        work.mkdir()
        wish = {
            "root": str(ROOT),
            "home": str(sandbox_home),
            "backend": backend,
            "folder": str(work),
            "checks": wall.checks,
            "gate": dict(wall.gate),
            "live": wall.live,
            "base": dict(wall.base),
            "change": dict(wall.change),
            "bytecode": dict(wall.bytecode),
        }
        place = copy_without(tmp_path / f"copy{number}", swaps)
        done = subprocess.run(
            [sys.executable, "-P", "-B", "-c", RUN, str(place)],
            input=json.dumps(wish),
            capture_output=True,
            text=True,
            check=False,
            cwd=place,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        said.append(json.loads(done.stdout.splitlines()[-1]))
    kept, lost = said
    assert kept["verdict"] == "failed", kept
    assert wall.rule in kept["rules"], kept
    assert lost["verdict"] == "passed", lost


@dataclass(frozen=True, slots=True)
class Reading:
    """A part of what reads a report: how it is taken out, and whether what must not count does so then."""

    before: str
    after: str
    counts: Callable[[ModuleType], bool]


def opened(said: ModuleType, signed_with: bytes = b"k", **odd: object) -> bool:
    """Whether a report counts that is right but for something odd."""
    body = b"{}"
    signature = hmac.new(signed_with, body, hashlib.sha256).hexdigest().encode()
    frame = b"%s %s %d 0\n%s" % (MARK, signature, len(body), body)
    outcome = Outcome(exit_code=0, stdout=frame).model_copy(update=odd)
    return isinstance(said.open_report(outcome, b"k", "a run"), said.Opened)


def step(code: int, out: str) -> Step:
    """What a program said, and how it ended."""
    return Step(exit=code, timed_out=False, seconds=1.0, out=out, err="", dropped=False)


LOADED = '{"ok": true, "why": "", "features": [], "commands": []}'
READINGS = {
    "the signature": Reading(
        " or not hmac.compare_digest(signature, form[1])", "", lambda said: opened(said, signed_with=b"x")
    ),
    "the judge's exit code": Reading(
        "if outcome.exit_code != 0 and not (soon and outcome.exit_code is None):",
        "if False:",
        lambda said: opened(said, exit_code=1),
    ),
    "the end in time": Reading(
        "if outcome.timed_out:", "if False:", lambda said: opened(said, timed_out=True)
    ),
    "the whole output": Reading(
        "if outcome.truncated:", "if False:", lambda said: opened(said, truncated=True)
    ),
    "the trial's exit code": Reading(
        "if okay != (step.exit == 0):",
        "if False:",
        lambda said: bool(said.trial_check(step(1, LOADED)).passed),
    ),
    "a tool's exit code": Reading(
        "if step.dropped or step.exit != exit_code:",
        "if False:",
        lambda said: bool(said.lint_check(step(2, "[]"), None).passed),
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_without_a_check_of_a_report_it_counts(name: str) -> None:
    """A report at odds with something is turned down by the part that is there for it, and counts without that."""
    part = READINGS[name]
    source = Path(evidence.__file__).read_text("utf-8")
    assert source.count(part.before) == 1, part.before
    said = {}
    for kind, text in (("whole", source), ("lacking", source.replace(part.before, part.after))):
        module = said[kind] = ModuleType(f"{kind}_evidence")
        exec(compile(text, evidence.__file__, "exec"), vars(module))  # noqa: S102 - the gate's own text, but for a part
    assert not part.counts(said["whole"])
    assert part.counts(said["lacking"])


RUN = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module('tests.gate.judged', run_name='__main__')"
