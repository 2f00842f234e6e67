"""The gate with sandboxes that were started before the candidate was there."""

import asyncio
from collections.abc import Callable

import pytest

from sandbox.ahead import Ahead
from sandbox.types import Command, Limits, Outcome, Sandbox
from selfedit.gate.gate import Gate
from selfedit.types import GateReport
from tests.e2e.gate_world import GateWorld, failing, opened_sandbox, world
from tests.fakes.small_repo import FAULTS, FILES, GREET, GREET_TEST
from tests.fakes.small_repo import text as text_of

__all__ = ["opened_sandbox", "world"]

ECHO = "import sys; first = sys.stdin.readline(); print(first.strip(), sys.stdin.read())"


LINGER = """
import sys, time
sys.stdin.read()
print("all of it", flush=True)
time.sleep(600)
"""


async def ahead(gate: Gate, base: str, head: str) -> GateReport:
    """Judge with everything started before."""
    gate.prepare(base)
    await gate.ready()
    return await gate.judge(base, head)


def places(report: GateReport) -> list[tuple[str, str, int | None]]:
    """What is said of which place; not in which words, for those may hold an address."""
    return [(finding.rule, finding.path, finding.line) for finding in report.findings]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_sandbox_started_ahead_finds_what_one_started_late_finds(
    world: GateWorld, fault: str
) -> None:
    """Getting ready changes how long a verdict takes, and nothing that it says."""
    head = world.small.edit(GREET, *FAULTS[fault])
    patient: dict[str, object] = {"seconds": 120}  # a busy machine must not decide what is tried
    early = await ahead(world.gate(change_tests=patient), world.small.base, head)
    late = await world.gate(change_tests=patient).judge(world.small.base, head)
    assert (early.verdict, failing(early)) == (late.verdict, failing(late))
    assert places(early) == places(late)


SPOILT = {
    "by another signature": {
        GREET: text_of(FILES[GREET])
        .replace("greet(name: str)", "greet(name: bytes)")
        .replace("polite(name)", "name"),
    },
    "through a file between": {
        "app/live/helper.py": '"""Help."""\n\nfrom app.live.greet import greet\n\nHELP = greet\n',
        GREET_TEST: text_of(FILES[GREET_TEST]).replace(
            "app.live.greet import greet", "app.live.helper import HELP as greet"
        ),
        GREET: text_of(FILES[GREET]).replace("greet(name: str)", "greet(name: str, loud: bool)"),
    },
}


@pytest.mark.parametrize("how", SPOILT)
async def test_types_that_a_change_spoils_elsewhere_are_found(world: GateWorld, how: str) -> None:
    """A file that the change leaves alone is looked at when it stands on one that the change writes."""
    *before, (path, content) = SPOILT[how].items()
    base = world.small.change(dict(before)) if before else world.small.base
    head = world.small.change({path: content}, on=base)
    early = await ahead(world.gate(gate={"checks": ["types"]}), base, head)
    late = await world.gate(gate={"checks": ["types"]}).judge(base, head)
    assert failing(early) == failing(late) == {"types"}
    assert places(early) == places(late)
    assert GREET_TEST in {finding.path for finding in early.findings}


async def test_types_of_new_files_and_of_nothing(world: GateWorld) -> None:
    """A file that is new is looked at, and where no code changes there is nothing that could be wrong."""
    new = world.small.change({"app/live/new.py": '"""New."""\n\nNEW: int = "one"\n'})
    said = world.small.change({"app/live/note.md": "A note.\n"})
    checks: dict[str, object] = {"checks": ["types"]}
    found = await ahead(world.gate(gate=checks), world.small.base, new)
    assert places(found) == [("assignment", "app/live/new.py", 3)]
    assert (await ahead(world.gate(gate=checks), world.small.base, said)).verdict == "passed"


async def test_what_main_has_wrong_is_not_passed_over(world: GateWorld) -> None:
    """Where main's own types do not hold, everything is looked at."""
    base = world.small.change({"app/vault.py": '"""Wrong."""\n\nGOLD: int = "three"\n'})
    head = world.small.edit(GREET, *FAULTS["honest"], on=base)
    found = await ahead(world.gate(gate={"checks": ["types"]}), base, head)
    assert places(found) == [("assignment", "app/vault.py", 3)]


async def test_what_a_candidate_removes_is_gone(world: GateWorld) -> None:
    """A file of base that the candidate lacks is not there when it is judged, though base's tree was unpacked."""
    helper = GREET.replace("greet.py", "helper.py")
    base = world.small.change({helper: '"""Help."""\n\nWORD = "help"\n'})
    text = text_of(FILES[GREET]).replace(
        "polite\n\n", "polite\nfrom app.live.helper import WORD\n\nSAID = WORD\n\n"
    )
    uses = world.small.change({GREET: text}, on=base)
    removed = world.small.change({GREET: text, helper: None}, on=base)
    assert (await ahead(world.gate(), base, uses)).verdict == "passed"
    assert {"types", "tests"} <= failing(await ahead(world.gate(), base, removed))


async def test_each_sandbox_judges_one_head_of_its_base(world: GateWorld) -> None:
    """A second head, or one on another base, gets sandboxes of its own."""
    gate = world.gate()
    first = world.small.edit(GREET, "Say hello.", "Greet.")
    second = world.small.edit(GREET, "Say hello.", "Greet somebody.")
    gate.prepare(world.small.base)
    await gate.ready()
    started = len(world.sandbox.purposes)
    assert (await gate.judge(world.small.base, first)).verdict == "passed"
    assert len(world.sandbox.purposes) == started
    assert (await gate.judge(world.small.base, second)).verdict == "passed"
    assert len(world.sandbox.purposes) > started
    gate.prepare(world.small.base)
    await gate.ready()
    started = len(world.sandbox.purposes)
    third = world.small.edit(GREET, "Greet.", "Greet them all.", on=first)
    assert (await gate.judge(first, third)).verdict == "passed"
    assert len(world.sandbox.purposes) > started
    await gate.release()


async def test_a_run_gets_its_input_in_two_parts(opened_sandbox: Sandbox) -> None:
    """The program has the first part before the second is there, and both in order."""
    command = Command(argv=(opened_sandbox.python, "-I", "-c", ECHO), stdin=b"early\n")
    started = opened_sandbox.start_ahead(command, wait_seconds=60)
    await asyncio.sleep(0)
    assert started.alive
    assert (await started.finish(b"late")).stdout == b"early late\n"
    assert not started.alive


async def test_what_is_waited_for_is_heard_before_the_end(docker_sandbox: Sandbox) -> None:
    """A program that has said it all is heard while it still runs; nothing is known of its end then."""
    command = Command(argv=(docker_sandbox.python, "-I", "-c", LINGER))
    started = docker_sandbox.start_ahead(command, wait_seconds=60)
    heard = await started.hear(b"late", lambda said: said.endswith(b"all of it\n"))
    assert (heard.stdout, heard.exit_code, heard.timed_out) == (b"all of it\n", None, False)
    await started.drop()


async def test_what_ends_without_it_is_an_ordinary_end(opened_sandbox: Sandbox) -> None:
    """A program that never says what is waited for is known by its end."""
    command = Command(argv=(opened_sandbox.python, "-I", "-c", ECHO), stdin=b"early\n")
    heard = await opened_sandbox.start_ahead(command, wait_seconds=60).hear(b"late", lambda _: False)
    assert (heard.stdout, heard.exit_code) == (b"early late\n", 0)


async def test_a_verdict_for_a_merge_waits_for_the_end(
    world: GateWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what an author hears soon does without the exit code and the engine's word on memory."""
    heard: list[bytes] = []

    async def hear(self: Ahead, rest: bytes, whole: Callable[[bytes], bool]) -> Outcome:
        heard.append(rest)
        assert not whole(b"")
        return await self.finish(rest)

    monkeypatch.setattr(Ahead, "hear", hear)
    head = world.small.edit(GREET, "Say hello.", "Greet everybody.")
    gate = world.gate()
    assert (await ahead(gate, world.small.base, head)).verdict == "passed"
    await gate.release()
    assert heard == []
    assert (await world.gate().judge(world.small.base, head, quick=True)).verdict == "passed"
    assert heard != []


async def test_what_a_no_gave_up_ends_with_the_gate(world: GateWorld) -> None:
    """Nobody waits for the end of what a failed check makes needless, and once the gate is released it is gone."""
    head = world.small.edit(GREET, *FAULTS["format"])
    gate = world.gate()
    report = await ahead(gate, world.small.base, head)
    assert failing(report) == {"format"}
    assert next(check for check in report.checks if check.name == "change").summary.startswith("left out")
    await gate.release()
    assert [started for started in world.sandbox.started if started.alive] == []


async def test_a_run_that_nobody_finishes_is_ended(opened_sandbox: Sandbox) -> None:
    """What waits for longer than it may is ended, and cannot be used any more."""
    command = Command(argv=(opened_sandbox.python, "-I", "-c", ECHO), limits=Limits(seconds=0.5))
    started = opened_sandbox.start_ahead(command, wait_seconds=0.1)
    async with asyncio.timeout(120):
        while started.alive:  # noqa: ASYNC110 - a run that ends by itself tells nobody
            await asyncio.sleep(0.05)
    assert (await started.finish(b"late")).timed_out


async def test_a_run_that_was_dropped_leaves_nothing(opened_sandbox: Sandbox) -> None:
    """Dropping ends the program; doing it again does nothing."""
    command = Command(argv=(opened_sandbox.python, "-I", "-c", ECHO))
    started = opened_sandbox.start_ahead(command, wait_seconds=60)
    await asyncio.sleep(0.5)
    await started.drop()
    await started.drop()
    assert not started.alive


async def test_what_was_started_ahead_tries_the_candidate(world: GateWorld) -> None:
    """However long the trial load has waited with base's code at hand, it loads the candidate's."""
    head = world.small.edit(
        GREET, 'return f"Hello, {polite(name)}!"', "return str(1 // len(name.strip(name)))"
    )
    gate = world.gate(gate={"checks": ["trial"]})
    gate.prepare(world.small.base)
    await gate.ready()
    assert "gate-trial" in world.sandbox.purposes
    await asyncio.sleep(2)  # a program that does not wait has ended by then
    found = await gate.judge(world.small.base, head)
    assert failing(found) == {"trial"}
    assert "ZeroDivisionError" in found.complaint
