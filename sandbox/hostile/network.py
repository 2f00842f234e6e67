"""Tries to reach anything: addresses of the net and of the host, names, and sockets of every other kind."""

import socket
from collections.abc import Callable
from pathlib import Path

from sandbox.hostile.attempt import ABSENT, HELD, THROUGH, Facts, Said, attempt, first, named

SECONDS = 2.0
NAMES = ("one.one.one.one", "metadata.google.internal", "host.docker.internal")
# Numbers of families that Python has no name for everywhere.
FAMILIES = {"netlink": 16, "packet": 17, "key": 15, "bluetooth": 31, "alg": 38, "vsock": 40, "xdp": 44}


def main(facts: Facts) -> Said:
    """One outcome for each place, and for each kind of socket."""
    outside = [name for name in _interfaces() if name not in ("lo", "tunl0", "sit0", "ip6tnl0")]
    said = {"interfaces": f"{THROUGH}: {', '.join(outside)}" if outside else f"{HELD}: only lo"}
    for host, port in facts.addresses:
        said[f"{host}:{port}"] = _connect(host, port)
        said[f"{host}:{port} by datagram"] = _send(host, port)
    said["names"] = first({name: attempt(_resolve(name)) for name in NAMES})
    said["abstract Unix sockets outside"] = first(
        {name: attempt(_abstract(name)) for name in facts.abstract} or {"": ABSENT}
    )
    for name, number in FAMILIES.items():
        said[f"{name} sockets"] = _open(number)
    said["raw sockets"] = attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
    said["protocols but TCP and UDP"] = first(
        {
            str(number): attempt(_protocol(kind, number))
            for kind, number in ((5, 132), (1, 262), (6, 33), (2, 136), (2, 1))
        }
    )
    return said


def _interfaces() -> list[str]:
    return [
        line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines() if ":" in line
    ]


def _connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), SECONDS).close()
    except TimeoutError:
        return f"{THROUGH}: it left, and nothing answered"
    except OSError as error:
        return f"{HELD}: {named(error)}"
    return f"{THROUGH}: connected"


def _send(host: str, port: int) -> str:
    """A datagram to oneself is no way out, and cannot be told from one that got out: the listener decides."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as opened:
        try:
            opened.sendto(b"out", (host, port))
        except OSError as error:
            return f"{HELD}: {named(error)}"
    return f"{HELD}: to itself" if host.startswith("127.") or host == "::1" else THROUGH


def _resolve(name: str) -> Callable[[], object]:
    return lambda: socket.getaddrinfo(name, 80)


def _abstract(name: str) -> Callable[[], object]:
    def connect() -> None:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.connect(f"\0{name}")

    return connect


def _open(family: int) -> str:
    met = {}
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
        except OSError as error:
            # The kernel's own word for a family that it does not have.
            met[kind.name] = ABSENT if named(error) == "EAFNOSUPPORT" else f"{HELD}: {named(error)}"
        else:
            met[kind.name] = f"{THROUGH}:"
    return first(met)


def _protocol(kind: int, number: int) -> Callable[[], object]:
    return lambda: socket.socket(socket.AF_INET, kind, number).close()
