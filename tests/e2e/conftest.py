"""Real sandboxes for the tests: one image and one set of caches, kept between runs of the tests."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.choose import Choice, open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sandbox_home() -> Path:
    """A state folder that outlives the tests: building the image and the caches takes a minute."""
    home = Path(os.environ.get("THESEUS_TEST_HOME") or ROOT / ".venv" / "test-home").resolve()
    home.mkdir(parents=True, exist_ok=True)
    return home


def _opened(choice: Choice, home: Path) -> Iterator[Sandbox]:
    try:
        sandbox = asyncio.run(
            open_sandbox(choice, root=ROOT, home=home, owner=f"tests-{os.getpid()}", tell=lambda _: None)
        )
    except SandboxUnavailable as error:
        pytest.skip(f"no {choice} here: {error}")
    try:
        yield sandbox
    finally:
        asyncio.run(sandbox.close())


@pytest.fixture(scope="session")
def docker_sandbox(sandbox_home: Path) -> Iterator[Sandbox]:
    """The Docker sandbox; skips where no engine answers."""
    yield from _opened("docker", sandbox_home)


@pytest.fixture(scope="session")
def bubblewrap_sandbox(sandbox_home: Path) -> Iterator[Sandbox]:
    """The bubblewrap sandbox; skips where it cannot work."""
    yield from _opened("bubblewrap", sandbox_home)


@pytest.fixture(params=["docker", "bubblewrap"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each sandbox in turn."""
    found: Sandbox = request.getfixturevalue(f"{request.param}_sandbox")
    return found


@pytest.fixture
def caches(request: pytest.FixtureRequest, sandbox_home: Path) -> Path:
    """The caches of the sandbox that a whole Theseus would choose here, made and warm; skips where there is none."""
    wish = os.environ.get("THESEUS_SANDBOX", "auto")
    for name in ["docker", "bubblewrap"] if wish == "auto" else [wish]:
        try:
            found: Sandbox = request.getfixturevalue(f"{name}_sandbox")
        except pytest.skip.Exception:
            continue
        assert found.info.backend == name
        (sandbox_home / "caches").mkdir(exist_ok=True)
        return sandbox_home / "caches"
    pytest.skip("no sandbox here: neither Docker nor bubblewrap")
