"""The main job from end to end: real processes, real git, a real sandbox, lines typed as a person would."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from policies.load import load_rules
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.types import Proposal, Request, Stage
from tests.fakes.scripted import Script, Turn, Use, serving
from tests.fakes.world import FAST, ROOT, World, clone, git

ME = "console:tests"
ROLL = "bot/live/roll/feature.py"
SILENT_POLICY = '''"""A policy that lets everything pass, for tests of what comes after it."""

from collections.abc import Collection, Mapping, Sequence

from policies.change import Blob, Change
from policies.decision import Decision
from policies.load import Rules

__all__ = ["Blob", "Change"]


def review_edits(edits: Sequence[Mapping[str, object]], rules: Rules) -> Decision:
    """Let every draft pass."""
    del edits, rules
    return Decision()


def review_changes(
    changes: Sequence[object], rules: Rules, *, by_person: bool = False, existing: Collection[str] = ()
) -> Decision:
    """Let every change pass."""
    del changes, rules, by_person, existing
    return Decision()
'''


def made(tmp_path: Path, caches: Path, **kinds: Any) -> World:
    root = clone(tmp_path / "repo", kinds.pop("rules", FAST), kinds.pop("files", None))
    home = tmp_path / "home"
    home.mkdir()
    (home / "caches").symlink_to(caches)
    return World(root, home, kinds.pop("env", None))


@pytest.fixture
async def world(tmp_path: Path, caches: Path) -> AsyncIterator[World]:
    async with made(tmp_path, caches) as running:
        yield running


def selfedit(world: World, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "selfedit", *args],
        cwd=world.root,
        env=world.env,
        capture_output=True,
        text=True,
        check=False,
    )


def edits(*rows: dict[str, str]) -> Request:
    return Request(requested_by=ME, edits=parse_edits(json.dumps(rows)))


async def improved(world: World, request: Request) -> Proposal:
    answer = await world.ask(say.Improve(request=request), 300)
    assert isinstance(answer, say.ProposalIs), answer
    return answer.proposal


async def opened(world: World, *rows: dict[str, str]) -> int:
    proposal = await improved(world, edits(*rows))
    assert proposal.stage is Stage.OPENED, proposal.why
    return proposal.number


async def approved(world: World, number: int) -> Proposal:
    answer = await world.ask(say.Approve(number=number, by=ME), 120)
    assert isinstance(answer, say.ProposalIs), answer
    return answer.proposal


async def stage(world: World, number: int) -> Stage:
    shown = await world.ask(say.Show(number=number))
    found: Stage = shown.proposal.stage
    return found


async def answers(world: World, line: str, expected: str) -> None:
    """A line typed now is answered with a text."""
    since = len(world.printed())
    world.type(line)
    await world.read(expected, since=since)


USAGE = {"op": "set_constant", "path": ROLL, "target": "USAGE", "value": '"Try /roll 2d6, sailor."'}


def test_the_lines_of_the_readme_piped_in_do_the_main_job(tmp_path: Path, caches: Path) -> None:
    """Improve, approve, look, roll back and quit: exit code 0, a signed merge and a revert in the history, all verified."""
    world = made(tmp_path, caches)
    lines = "/improve\n/approve 1\n/status\n/why\n/roll 1d6\n/rollback\n/status\n/quit\n"
    done = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=world.root,
        env=world.env,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "You rolled" in done.stdout
    messages = git(world.root, "log", "--first-parent", "--format=%s%n%b", "main")
    for trailer in (
        "Proposal: 1",
        "Requested-by: console:",
        "Approved-by: console:",
        "Gate: passed tree=",
        "Model: none",
    ):
        assert trailer in messages, done.stdout + done.stderr
    vouched = selfedit(world, "verify", "--all")
    assert vouched.returncode == 0, vouched.stdout + vouched.stderr
    assert re.search(
        r"merge of proposal 1 .*asked for by console:.*approved by console:.*: passed, policy", vouched.stdout
    )
    assert "revert of proposal 1" in vouched.stdout
    revert, merge, genesis = git(world.root, "log", "--first-parent", "--format=%H", "main").split()
    assert git(world.root, "rev-parse", f"{revert}^{{tree}}") == git(
        world.root, "rev-parse", f"{genesis}^{{tree}}"
    )
    assert "This reverts commit " + merge in git(world.root, "log", "-1", "--format=%b", revert)
    assert f"{merge[:12]}" in done.stdout
    assert f"{revert[:12]}" in done.stdout
    for commit in (revert, merge):
        assert "SSH SIGNATURE" in git(world.root, "cat-file", "commit", commit)
    verified = selfedit(world, "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert git(world.root, "status", "--porcelain") == ""


async def test_a_persons_edits_are_seen_in_the_very_next_answer(world: World) -> None:
    """Approved code answers without a restart, is traced to its proposal, and after a rollback the old one answers."""
    before = (await world.ask(say.Status())).bot_pid
    number = await opened(world, USAGE)
    await answers(world, "/roll nonsense", "Say it like")
    assert (await approved(world, number)).stage in (Stage.MERGED, Stage.LIVE)
    await answers(world, "/roll nonsense", "sailor")
    traced = (await world.ask(say.Why())).traced
    assert [(t.path, t.name, t.proposal) for t in traced] == [(ROLL, "USAGE", number)]
    await world.ask(say.Rollback(by=ME))
    await answers(world, "/roll nonsense", "Say it like")
    status = await world.ask(say.Status())
    assert (status.bot_pid, status.restarts) == (before, 0)
    assert await stage(world, number) is Stage.REVERTED


async def test_what_proves_itself_is_kept(world: World) -> None:
    """After a quiet window the provisional code is kept, and the rollback of kept code still works."""
    number = await opened(world, USAGE)
    await approved(world, number)
    await world.until(lambda s: s.provisional_seconds is None and s.running == s.main)
    assert await stage(world, number) is Stage.KEPT
    await world.ask(say.Rollback(number=number, by=ME))
    await answers(world, "/roll nonsense", "Say it like")


async def test_a_machine_that_stood_still_blames_nobody(world: World) -> None:
    """When steward and bot alike had no turn for longer than silence is borne, no process is killed, no change reverted."""
    number = await opened(world, USAGE)
    await approved(world, number)
    before = await world.ask(say.Status())
    both = (before.steward_pid, before.bot_pid)
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(load_rules(world.root / "policies/rules.toml").watch.silence_seconds + 1)
    for pid in both:
        os.kill(pid, signal.SIGCONT)
    await world.until(lambda s: s.provisional_seconds is None and s.running == s.main)
    after = await world.ask(say.Status())
    assert (after.bot_pid, after.restarts) == (before.bot_pid, 0)
    assert await stage(world, number) is Stage.KEPT


async def test_verify_finds_tampering(world: World) -> None:
    """A changed working file, a changed ledger row and an unsigned commit on main each make verify exit 1."""
    number = await opened(world, USAGE)
    await approved(world, number)
    assert selfedit(world, "verify").returncode == 0
    file = world.root / ROLL
    good = file.read_text()
    file.write_text(good + "# touched\n")
    assert selfedit(world, "verify").returncode == 1
    file.write_text(good)
    assert selfedit(world, "verify").returncode == 0
    world.type("/quit")
    assert await world.ended() == 0
    assert selfedit(world, "verify").returncode == 0
    ledger = sqlite3.connect(world.home / "ledger.sqlite3")
    ledger.executescript(
        "drop trigger moves_are_not_changed; update moves set data = replace(data, 'tests', 'tasts');"
    )
    ledger.close()
    assert selfedit(world, "verify").returncode == 1


async def test_people_who_commit_to_main_are_judged_and_adopted(world: World) -> None:
    """A person's commit to live code is gated, vouched for with a signed commit, and served."""
    file = world.root / ROLL
    file.write_text(file.read_text().replace("Say it like", "Spell it like"))
    git(world.root, "-c", "user.name=Ann", "-c", "user.email=ann@localhost", "commit", "-qam", "Spell it")
    theirs = git(world.root, "rev-parse", "main")
    await world.until(lambda s: s.running == s.main != theirs)
    await answers(world, "/roll nonsense", "Spell it like")
    assert selfedit(world, "verify").returncode == 0


async def test_a_commit_to_the_kernel_starts_both_anew_and_loses_no_byte(world: World) -> None:
    """A person's commit beside the live folders is served by fresh processes, which answer the line begun before."""
    before = await world.ask(say.Status())
    assert world.process is not None
    assert world.process.stdin is not None
    world.process.stdin.write(b"/roll non")
    world.process.stdin.flush()
    file = world.root / "bot/feature.py"
    file.write_text(file.read_text() + "\n\n# A remark.\n")
    git(world.root, "-c", "user.name=Ann", "-c", "user.email=ann@localhost", "commit", "-qam", "Remark")
    await world.until(
        lambda s: s.bot_pid not in (0, before.bot_pid) and s.running == s.main != before.main, 90
    )
    await answers(world, "sense", "> /roll nonsense")
    assert (await world.ask(say.Status())).steward_pid == before.steward_pid
    assert selfedit(world, "verify").returncode == 0


@pytest.fixture(params=["openai", "anthropic"])
def vendor(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_a_model_that_errs_first_mends_its_draft(tmp_path: Path, caches: Path, vendor: Any) -> None:
    """Bad JSON, an unknown symbol and a failing test come back to the model as complaints; then its draft is opened."""
    wrong = {"op": "set_constant", "path": ROLL, "target": "MOST_DICES", "value": "50"}
    failing = {
        "op": "replace_function",
        "path": ROLL,
        "target": "parse",
        "source": 'def parse(text: str) -> tuple[int, int, int] | None:\n    """Read nothing."""\n    del text\n    return None\n',
    }
    right = {"op": "set_constant", "path": ROLL, "target": "MOST_DICE", "value": "110"}
    script = Script(
        [
            Turn(calls=(Use(name="try_edits", arguments='{"edits": [{"op": '),)),
            Turn(calls=(Use(name="try_edits", arguments={"edits": [wrong]}),)),
            Turn(
                calls=(
                    Use(
                        name="propose",
                        arguments={"title": "No dice", "reason": "why not", "edits": [failing]},
                    ),
                )
            ),
            Turn(
                calls=(
                    Use(
                        name="propose",
                        arguments={"title": "More dice", "reason": "bigger games", "edits": [right]},
                    ),
                )
            ),
        ]
    )
    async with serving(vendor, script) as address:
        env = {f"{vendor.upper()}_API_KEY": "sk-test-0000", f"{vendor.upper()}_BASE_URL": address}
        async with made(tmp_path, caches, env=env) as world:
            proposal = await improved(world, Request(requested_by=ME, goal="allow more dice"))
            assert proposal.stage is Stage.OPENED, proposal.why
            assert proposal.author == "model"
            assert proposal.tokens > 0
            assert script.faults == []
            asked = json.dumps(script.requests)
            assert "MOST_DICE" in asked.partition("MOST_DICES")[2]
            await approved(world, proposal.number)
            await answers(world, "/roll 111d6", "1 to 110")


BAD = {
    "blocks the event loop": "    import time\n\n    time.sleep(100_000)\n",
    "ends the process": "    import os\n\n    os._exit(0)\n",
    "raises": "    raise RuntimeError(turn.text)\n",
}


@pytest.mark.parametrize("kind", BAD)
async def test_code_that_breaks_the_bot_is_taken_back_by_itself(
    tmp_path: Path, caches: Path, kind: str
) -> None:
    """Whatever passes the gate and then breaks the bot is reverted without anyone's help, and the bot answers again."""
    guarded = f'    if "boom" in turn.text:\n{BAD[kind].replace("    ", "        ").replace(chr(10) + chr(10), chr(10))}'
    honest = (
        (ROOT / ROLL)
        .read_text()
        .partition("async def roll")[2]
        .partition("\n\n\n")[0]
        .splitlines(keepends=True)
    )
    source = f"async def roll{''.join(honest[:2])}{guarded}{''.join(honest[2:])}\n"
    rules = FAST.replace("window_seconds = 1.5", "window_seconds = 30.0") + '\n[gate]\nchecks = ["tests"]\n'
    parse_only = {"tests/live/test_roll.py": '"""Emptied for this world."""\n'}
    files = {"policies/edits.py": SILENT_POLICY, **parse_only}
    async with made(tmp_path, caches, rules=rules, files=files) as world:
        number = await opened(
            world, {"op": "replace_function", "path": ROLL, "target": "roll", "source": source}
        )
        await approved(world, number)
        await answers(world, "/roll 1d6", "You rolled ")
        for _ in range(2):
            world.type("/roll boom")
        await world.until(lambda s: s.running == s.main and s.provisional_seconds is None)
        assert await stage(world, number) is Stage.REVERTED
        await answers(world, "/roll 1d1000", "You rolled ")
        assert "This reverts commit" in git(world.root, "log", "-1", "--format=%b", "main")


async def test_a_bot_that_never_gives_a_sign_of_life_is_given_up(tmp_path: Path) -> None:
    """The steward restarts it with growing pauses, then ends with one sentence and exit code 1."""
    rules = "[watch]\nstart_seconds = 0.5\n[restart]\nattempts = 2\nfirst_delay_seconds = 0.05\n"
    root = clone(tmp_path / "repo", rules, {"bot/__main__.py": "import time\n\ntime.sleep(1000)\n"})
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "selfedit", "steward"],
        cwd=root,
        env=World(root, home).env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    assert "no sign of life" in done.stderr.splitlines()[-1]


async def test_a_second_steward_is_told_of_the_first(world: World) -> None:
    """One instance a repository: the second one ends at once, in one sentence."""
    second = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=world.root,
        env=world.env,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) == 1
    assert "already" in second.stderr
