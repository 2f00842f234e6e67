"""A container runtime that is asked for by name."""

import secrets
from pathlib import Path

import pytest

from sandbox.choose import open_sandbox
from sandbox.types import Command, Limits, Sandbox, SandboxUnavailable

ROOT = Path(__file__).parents[2]


async def test_a_runtime_by_name_is_used(docker_sandbox: Sandbox, sandbox_home: Path) -> None:
    """With the engine's usual runtime named, commands run as ever, and the report says in what."""
    assert docker_sandbox.info.backend == "docker"
    owner = f"runtime-{secrets.token_hex(4)}"
    sandbox = await open_sandbox(
        "docker", root=ROOT, home=sandbox_home, owner=owner, tell=lambda _: None, runtime="runc"
    )
    try:
        outcome = await sandbox.run(Command(argv=("echo", "here"), limits=Limits(seconds=30)))
        assert outcome.stdout == b"here\n"
        assert "runtime runc" in [one.detail for one in sandbox.info.protections]
    finally:
        await sandbox.close()


async def test_an_unknown_runtime_is_not_replaced(docker_sandbox: Sandbox, sandbox_home: Path) -> None:
    """A runtime that the engine does not know is no sandbox, not even with bubblewrap at hand, and the sentence says why."""
    assert docker_sandbox.info.backend == "docker"
    with pytest.raises(
        SandboxUnavailable, match=r"runtime no-such-runtime, and the engine knows only .*runc"
    ):
        await open_sandbox(
            "auto",
            root=ROOT,
            home=sandbox_home,
            owner="runtime",
            tell=lambda _: None,
            runtime="no-such-runtime",
        )
