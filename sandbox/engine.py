"""The wire to the Docker engine: connecting, calling, and the stream to and from a container."""

import asyncio
import contextlib
import functools
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import docker
import docker.errors
from docker.constants import DEFAULT_DOCKER_API_VERSION

from sandbox.ahead import Feed
from sandbox.profile import Capture
from sandbox.types import SandboxUnavailable

ANSWER_SECONDS = 5.0
"""An engine that has not said hello by then is taken for absent."""
CALL_SECONDS = 10.0
"""The longest that one call to the engine may take."""
READ_BYTES = 256 * 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


class EngineLost(SandboxUnavailable):
    """The engine does not answer any more, or not in time."""


def connect(call_seconds: float = CALL_SECONDS) -> Any:
    """A `docker.APIClient` for the engine at hand, whose calls take no longer than this. Blocks.

    Raises:
        SandboxUnavailable: No engine answers.
    """
    address = _address()
    if address.startswith("ssh:") or os.environ.get("DOCKER_TLS_VERIFY"):
        raise SandboxUnavailable(
            "the sandbox needs an engine on a plain socket; set DOCKER_HOST to unix:///path/to/docker.sock"
        )
    try:
        _knock(address)
        # A first client that surely gets closed asks which version of the API the engine speaks.
        with contextlib.closing(_client(address, DEFAULT_DOCKER_API_VERSION, ANSWER_SECONDS)) as asking:
            version = str(asking.version(api_version=False)["ApiVersion"])
        return _client(address, version, call_seconds)
    except (docker.errors.DockerException, OSError, ValueError, KeyError) as error:
        raise SandboxUnavailable(
            f"no Docker engine answers at {address}; start it, or install one (on Debian: apt-get install docker.io)"
        ) from error


def _knock(address: str) -> None:
    """Try a Unix socket out: the SDK would leave its own one open where nobody listens."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(ANSWER_SECONDS)
            stream.connect(address.removeprefix("unix://"))


def _client(address: str, version: str, seconds: float) -> Any:
    return docker.APIClient(base_url=address, version=version, timeout=seconds)


def _address() -> str:
    if given := os.environ.get("DOCKER_HOST"):
        return given
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    usual = Path("/var/run/docker.sock")
    return f"unix://{usual if usual.exists() or not rootless.exists() else rootless}"


def asked(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Make a call to the engine, with the SDK's many errors as one.

    Raises:
        EngineLost: It does not answer.
        SandboxUnavailable: It answers that it cannot.
    """
    try:
        return function(*args, **kwargs)
    except docker.errors.APIError as error:
        raise SandboxUnavailable(f"the Docker engine refused: {error.explanation or error}") from error
    except (docker.errors.DockerException, OSError) as error:
        raise EngineLost(
            "the Docker engine stopped answering, so nothing is known of the run; look at the engine and try again"
        ) from error


async def converse(stream: socket.socket, feed: Feed, capture: Capture) -> bool:
    """Write the input and read the output at once, to the end; False when the program floods."""
    loop = asyncio.get_running_loop()
    stream.setblocking(False)
    feeding = asyncio.create_task(_feed(stream, feed))
    try:
        frames = Frames(capture)
        while data := await loop.sock_recv(stream, READ_BYTES):
            if not frames.take(data):
                return False
            feed.heard(capture.stdout)
        return True
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


async def _feed(stream: socket.socket, feed: Feed) -> None:
    with contextlib.suppress(OSError):  # a program may end without having read its input
        await feed.send(functools.partial(asyncio.get_running_loop().sock_sendall, stream))
        stream.shutdown(socket.SHUT_WR)


class Frames:
    """Takes apart the engine's stream: frames of a kind (2: stderr), a length and so many bytes."""

    _HEADER = struct.Struct(">BxxxL")

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._head = b""
        self._kind = 1
        self._left = 0

    def take(self, data: bytes) -> bool:
        """Take the next piece of the stream; False when the program floods."""
        view = memoryview(data)
        while view:
            if not self._left:
                need = self._HEADER.size - len(self._head)
                self._head += view[:need]
                view = view[need:]
                if len(self._head) < self._HEADER.size:
                    break
                self._kind, self._left = self._HEADER.unpack(self._head)
                self._head = b""
                continue
            part = view[: self._left]
            view = view[self._left :]
            self._left -= len(part)
            if not self._capture.take("stderr" if self._kind == 2 else "stdout", part):  # noqa: PLR2004 - as above
                return False
        return True
