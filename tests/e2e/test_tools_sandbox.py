"""Code that a model wrote runs in a real sandbox: what it prints comes out, and nothing else does."""

import pytest

from agent.services.runner import SandboxRunner
from policies.load import ServiceRules, load_rules
from sandbox.types import Sandbox

RULES = load_rules().services


def runner(sandbox: Sandbox, **changed: object) -> SandboxRunner:
    async def opened() -> Sandbox:
        return sandbox

    return SandboxRunner(opened, ServiceRules(**{**RULES.model_dump(), **changed}))


async def test_what_a_program_prints_comes_out(sandbox: Sandbox) -> None:
    """A whole program runs, with its own text and the standard library."""
    told = await runner(sandbox).python("import statistics\nprint('mean', statistics.mean([1, 2, 3]))", 10)
    assert "exit code 0" in told
    assert "mean 2" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "1.1.1.1", "169.254.169.254"])
async def test_there_is_no_network(sandbox: Sandbox, host: str) -> None:
    """No connection can be made to anywhere."""
    told = await runner(sandbox).python(
        f"import socket\nsocket.create_connection(('{host}', 80), 2)\nprint('IN')", 10
    )
    assert "Error" in told
    assert "IN" not in told


async def test_an_endless_program_is_ended(sandbox: Sandbox) -> None:
    """Time is bounded, whatever the caller wants."""
    told = await runner(sandbox, run_seconds=1.0).python("print('begun', flush=True)\nwhile True: pass", 600)
    assert "longest it may take" in told
    assert "begun" in told


async def test_a_hungry_program_is_ended(sandbox: Sandbox) -> None:
    """A gigabyte is more than it gets."""
    told = await runner(sandbox).python("print(len(bytearray(2**30)))", 10)
    assert "1073741824" not in told
    assert "MemoryError" in told or "memory" in told


async def test_a_flood_is_cut(sandbox: Sandbox) -> None:
    """What is printed beyond the bound is dropped, and that is said."""
    told = await runner(sandbox, run_output_bytes=2000).python("print('x' * 10_000_000)", 10)
    assert len(told) < 3000
    assert "the rest is dropped" in told
