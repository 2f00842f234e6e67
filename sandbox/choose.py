"""Which sandbox: Docker where an engine answers, else bubblewrap, else one sentence that says what to install."""

from pathlib import Path
from typing import Literal

from sandbox.types import Progress, Sandbox, SandboxUnavailable

Choice = Literal["auto", "docker", "bubblewrap"]

NEITHER = (
    "there is no sandbox, so no code can be judged; install Docker (on Debian: apt-get install docker.io)"
    " or bubblewrap (apt-get install bubblewrap)"
)


async def open_sandbox(
    choice: Choice,
    *,
    root: Path,
    home: Path,
    owner: str,
    tell: Progress,
    require_docker: bool = False,
    runtime: str = "",
) -> Sandbox:
    """Open the sandbox that is asked for; the first time this builds an image or a cache of types.

    Args:
        choice: `auto` prefers Docker and falls back to bubblewrap, and says so.
        root: The repository: its `pyproject.toml` and `requirements.lock` decide what is inside.
        home: The state folder, for locks and caches.
        owner: A word for whose containers these are (letters, digits, `-`): those that a crash of the same
            owner has left are removed, so two processes that live side by side need two words.
        tell: Told what takes long, and of a fall-back.
        require_docker: Take nothing less than Docker, whatever the choice.
        runtime: The engine's container runtime, by name (`runsc` for gVisor), as the rules have it; empty for its
            usual one. Who names one takes nothing less.

    Raises:
        SandboxUnavailable: There is none; its sentence says what to do.
    """
    require_docker = require_docker or bool(runtime)
    if require_docker and choice == "bubblewrap":
        raise SandboxUnavailable(
            "the rules demand Docker, and THESEUS_SANDBOX asks for bubblewrap; set it to docker or auto"
        )
    if choice == "bubblewrap":
        return await _bubblewrap(root, home, tell)
    try:
        return await _docker(root, home, owner, tell, runtime)
    except SandboxUnavailable as no_docker:
        if choice == "docker" or require_docker:
            raise
        try:
            sandbox = await _bubblewrap(root, home, tell)
        except SandboxUnavailable as no_bubblewrap:
            raise SandboxUnavailable(f"{NEITHER} ({no_docker}; {no_bubblewrap})") from no_docker
        tell(f"{no_docker}; judging in bubblewrap, which holds less")
        return sandbox


async def _docker(root: Path, home: Path, owner: str, tell: Progress, runtime: str) -> Sandbox:
    # Imported here: the SDK costs a tenth of a second, which those without an engine need not pay.
    from sandbox.docker import open_docker

    return await open_docker(root=root, home=home, owner=owner, tell=tell, runtime=runtime)


async def _bubblewrap(root: Path, home: Path, tell: Progress) -> Sandbox:
    from sandbox.bubblewrap import open_bubblewrap

    return await open_bubblewrap(root=root, home=home, tell=tell)


async def sweep(owner: str) -> int:
    """Remove what a run of the same owner that was cut short has left in the engine; how many containers.

    Where no engine answers there is nothing to remove: bubblewrap's programs die with whoever started them.
    """
    from sandbox.docker import sweep_engine

    try:
        return await sweep_engine(owner)
    except SandboxUnavailable:
        return 0
