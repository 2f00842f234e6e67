"""Contracts in a real sandbox, beside nothing else: what is delivered keeps them, what is spoilt does not."""

from collections.abc import Mapping
from pathlib import Path

from policies.load import load_rules
from sandbox.types import Sandbox
from selfedit.gate.contracts import argv, contracts_check, line
from selfedit.gate.evidence import Opened
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import Judging, Opening, Order
from selfedit.types import Check

ROOT = Path(__file__).parents[2]
PARTS = ("agent", "bot", "policies", "sandbox", "selfedit", "tests/contracts")
ROLL = "bot/live/roll/feature.py"


async def judged(sandbox: Sandbox, changed: Mapping[str, bytes]) -> Check:
    """A judge that got ready for this repository before it heard of a change."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for part in PARTS
        for path in (ROOT / part).rglob("*")
        if path.suffix in (".py", ".md", ".toml")
    }
    opening = Opening(
        purpose="contracts",
        seconds=60,
        folders={TREE.name: files},
        servants={"contracts": argv(sandbox.python, str(TREE))},
    )
    judging = await Judging.start(sandbox, opening, load_rules().gate)
    order = Order(folders={TREE.name: changed}, lines={"contracts": line()}, alone=True)
    opened = await judging.finish(order, "asking the live code")
    assert isinstance(opened, Opened), opened
    return contracts_check(opened.report.steps["contracts"])


async def test_what_is_delivered_keeps_its_contracts(sandbox: Sandbox) -> None:
    """The live code of this repository passes, in either sandbox and under every clock."""
    check = await judged(sandbox, {})
    assert (check.passed, check.findings) == (True, ())


async def test_a_change_that_comes_later_is_what_is_judged(sandbox: Sandbox) -> None:
    """Live code is loaded only when the change is there, though the kernel's part was loaded before."""
    before = (ROOT / ROLL).read_bytes()
    after = before.replace(b"int(random() * sides) + 1", b"int(random() * sides)")
    assert before != after
    check = await judged(sandbox, {ROLL: after})
    assert {finding.rule for finding in check.findings} == {"contract"}
    assert {finding.path for finding in check.findings} == {"tests/contracts/roll.py"}
