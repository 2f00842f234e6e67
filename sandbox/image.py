"""The Docker image, built by the project itself, with or without a registry at hand.

The image's tag is a hash of everything that goes into it, so that a change of the lock file, of mypy's
settings or of the base makes a new one and nothing else does. The base is `python:3.x-slim` where it is
at hand or can be pulled; else, on Debian as root, one made with debootstrap. Wheels are fetched outside,
by pip and checked against the lock; the build itself has no network.
"""

import fcntl
import hashlib
import io
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors

from sandbox import base, wheels
from sandbox.base import Base
from sandbox.typecache import WARM_UP, Recipe, recipe_for
from sandbox.types import Progress, SandboxUnavailable

REPOSITORY = "theseus-sandbox"
KEPT_IMAGES = 3
"""Images of earlier states that stay, newest first; two checkouts on one machine share the space."""
PIN = "sandbox-image"
"""Names, in the state folder, the image that judged before."""
DOCKERFILE = Path(__file__).with_name("Dockerfile")
BUILD_SECONDS = 900.0


def ensure_image(client: Any, *, root: Path, home: Path, tell: Progress) -> str:
    """The id of the image for the repository at `root`, built first if there is none. Blocks.

    Args:
        client: A `docker.APIClient` whose time-out fits a build.
        root: Where `pyproject.toml` and `requirements.lock` are.
        home: The state folder: locks and downloaded wheels go there.
        tell: Told what takes long.

    Raises:
        SandboxUnavailable: It cannot be built; the sentence says why.
    """
    lock = root / "requirements.lock"
    if not lock.is_file():
        raise SandboxUnavailable(
            f"{lock} is missing, so the sandbox image cannot be built; restore it from git"
        )
    recipe = recipe_for(root)
    with _alone(home / "locks" / "image.lock", tell):
        found = base.ensure_base(client, home=home, tell=tell)
        tag = _tag(lock, recipe, found)
        pin = home / PIN
        if ident := _at_hand(client, tag):
            return _pinned(pin, tag, ident)
        tell("building the sandbox image; this is done once and takes a minute or two")
        folder = wheels.ensure_wheels(lock, root=root, home=home, version=found.python, tell=tell)
        started = time.monotonic()
        ident = _build(client, found, _context(lock, folder, recipe))
        # Somebody with another state folder may have built the same meanwhile: the first one stays.
        if not (first := _at_hand(client, tag)):
            client.tag(ident, REPOSITORY, tag)
        tell(f"the sandbox image is built ({time.monotonic() - started:.0f} s)")
        _forget_old(client)
        pin.write_text(f"{tag} {first or ident}\n", "utf-8")
        return first or ident


def _at_hand(client: Any, tag: str) -> str | None:
    try:
        return str(client.inspect_image(f"{REPOSITORY}:{tag}")["Id"])
    except docker.errors.ImageNotFound:
        return None


def _pinned(pin: Path, tag: str, ident: str) -> str:
    """The image, if it is the one that this home has used before under this name."""
    try:
        known, _, before = pin.read_text("utf-8").strip().partition(" ")
    except FileNotFoundError:
        known, before = "", ""
    if known == tag and before != ident:
        raise SandboxUnavailable(
            f"the image {REPOSITORY}:{tag} is {ident[:19]}, and not {before[:19]}, which judged before. If you built "
            f"it anew yourself, delete {pin}; if not, take it away (docker rmi -f {REPOSITORY}:{tag}) and start again"
        )
    pin.write_text(f"{tag} {ident}\n", "utf-8")
    return ident


def _tag(lock: Path, recipe: Recipe, found: Base) -> str:
    seen = hashlib.sha256()
    for part in (DOCKERFILE.read_bytes(), lock.read_bytes(), recipe.key.encode(), found.ident.encode()):
        seen.update(hashlib.sha256(part).digest())
    return seen.hexdigest()[:16]


def _context(lock: Path, folder: Path, recipe: Recipe) -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, name in ((DOCKERFILE, "Dockerfile"), (lock, "requirements.lock"), (WARM_UP, "warm_up.py")):
            _add(tar, name, path.read_bytes())
        _add(tar, "recipe.json", recipe.text.encode())
        for wheel in sorted(folder.glob("*.whl")):
            _add(tar, f"wheels/{wheel.name}", wheel.read_bytes())
    context.seek(0)
    return context


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # no times and no owners: equal input, equal layers
    entry.size = len(data)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(data))


def _build(client: Any, found: Base, context: io.BytesIO) -> str:
    said: list[str] = []
    ident = ""
    steps = client.build(
        fileobj=context,
        custom_context=True,
        rm=True,
        forcerm=True,
        network_mode="none",
        buildargs={"BASE": found.name},
        decode=True,
        timeout=BUILD_SECONDS,
    )
    for step in steps:
        ident = (step.get("aux") or {}).get("ID", ident)
        said += [text for text in (step.get("stream"), step.get("error")) if text and text.strip()]
        if "error" in step:
            detail = " ".join("".join(said[-4:]).split())[-600:]
            raise SandboxUnavailable(f"the sandbox image could not be built: {detail}")
    return ident


def _forget_old(client: Any) -> None:
    stages = client.images(filters={"dangling": True, "label": "theseus.image"})
    finished = client.images(name=REPOSITORY)
    old = [image for kind in (stages, finished) for image in sorted(kind, key=_age)[KEPT_IMAGES:]]
    for image in old:
        try:
            client.remove_image(image["Id"])
        except docker.errors.APIError:
            continue  # in use by somebody; it goes another time


def _age(image: dict[str, Any]) -> int:
    return -int(image["Created"])


@contextmanager
def _alone(path: Path, tell: Progress) -> Iterator[None]:
    """Let one process at a time build: the second finds the first one's image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("waiting for another process that prepares the sandbox")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
