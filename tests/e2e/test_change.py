"""Inside real sandboxes it is found out whether a change is tested."""

import pytest

from policies.load import load_rules
from sandbox.types import Sandbox
from selfedit.gate.change import Wish, argv, change_check
from selfedit.gate.evidence import Opened
from selfedit.gate.inside.trees import SCRATCH, TREE
from selfedit.gate.judging import Judging, Opening, Order, difference
from selfedit.types import Check
from tests.fakes.small_repo import FILES, GREET, GREET_TEST
from tests.fakes.trying import SMALL, wished

LOUD = FILES[GREET].replace("!", "!!!")
TESTS = FILES[GREET_TEST].rstrip()


async def judged(sandbox: Sandbox, asked: Wish, files: dict[str, bytes]) -> Check:
    """As the gate does it: started with base's files, and given the change when it comes."""
    base = SCRATCH / "base"
    ahead = {"modules": ["app.core"], "plugins": [], "tests": ["tests"]}
    opening = Opening(
        purpose="change",
        seconds=60.0,
        folders={TREE.name: SMALL, base.name: SMALL},
        servants={"change": argv(sandbox.python, str(TREE), str(base), ["."], ahead)},
    )
    gate = load_rules().gate
    judging = await Judging.start(sandbox, opening, gate, wait_seconds=gate.wait_seconds)
    written, removed = difference(SMALL, files, TREE.name)
    order = Order(folders={TREE.name: written}, removed=removed, lines={"change": asked.line()})
    opened = await judging.finish(order, "trying the change's tests")
    assert isinstance(opened, Opened), opened
    return change_check(opened.report.steps["change"], asked)


@pytest.mark.parametrize(
    ("test", "passes"),
    [
        ('assert greet("ann").count("!") == 3', True),
        ('assert greet("ann") != greet("bob") or greet("x") is None', False),
    ],
    ids=["a test that means something", "a test that does not"],
)
async def test_what_new_tests_are_worth_is_found_out(sandbox: Sandbox, test: str, *, passes: bool) -> None:
    """In each sandbox, tests that tell the change from main are told from those that would pass without it."""
    new = "\n\n".join([TESTS, "", f"        def test_it_is_loud() -> None:\n            {test}", ""])
    asked, files = wished({GREET: LOUD, GREET_TEST: new})
    assert asked is not None
    check = await judged(sandbox, asked, files)
    assert check.passed is passes, check
    assert {finding.rule for finding in check.findings} == (
        set() if passes else {"new_test_must_fail_on_base"}
    )
