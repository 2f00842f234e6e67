"""Which path may change by itself: the two zones, decided by spelling alone."""

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

MAX_PATH_BYTES = 255


class Zone(StrEnum):
    """Live code is hot-swapped and open to proposals; all else is kernel."""

    LIVE = "live"
    KERNEL = "kernel"


def zone_of(path: str, live: Sequence[str]) -> Zone:
    """The zone of a path. A path whose spelling is doubtful is kernel."""
    return Zone.LIVE if path_problem(path) is None and path.startswith(tuple(live)) else Zone.KERNEL


def path_problem(path: str) -> str | None:
    """Why a path is no plain relative path, as part of a sentence; None when it is one."""
    encoded = path.encode("utf-8", "surrogateescape")
    parts = path.split("/")
    if not path:
        return "is empty"
    if len(encoded) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if path.startswith("/") or path[1:2] == ":":
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if any(part in ("", ".", "..") for part in parts):
        return "has an empty, '.' or '..' part"
    if any(
        part.startswith(("-", "~")) or part.endswith((".", " ")) or part != part.strip() for part in parts
    ):
        return "has a part that begins with '-', '~' or a space, or ends with '.' or a space"
    if any(not char.isprintable() or not (char.isalnum() or char in "/._- +") for char in path):
        return "has a character other than letters, digits, '.', '_', '-', '+' and space"
    if any(not char.isascii() for char in path) or unicodedata.normalize("NFKC", path) != path:
        return "has a character outside of ASCII"
    lowered = [part.lower() for part in parts]
    if any(part == ".git" or part.startswith("git~") for part in lowered):
        return "names something of git's own"
    if any(part.split(".")[0] in _DEVICES for part in lowered):
        return "has a part that is a device's name on some systems"
    return None


_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{name}{digit}" for name in ("com", "lpt") for digit in range(1, 10)
}
