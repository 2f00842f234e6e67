"""Reading what GitHub sends, strictly: a field is of the type that it has to be, or nothing is known."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from selfedit.ports import ForgeDown

_T = TypeVar("_T")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Fields:
    """A JSON object, whose fields are asked for by type."""

    def __init__(self, data: object, what: str) -> None:
        """Take an object that GitHub sent.

        Args:
            data: The object.
            what: What it should be, in words (`a pull request`).

        Raises:
            ForgeDown: It is none.
        """
        self.what = what
        if not isinstance(data, dict):
            raise self.nonsense("it is no object")
        self._data = cast("dict[str, Any]", data)

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self._data.get(name) is not None

    def text(self, name: str, *, default: str | None = None) -> str:
        """A string; where it is missing or null, the default, else nonsense."""
        return self._of(name, str, default)

    def number(self, name: str, *, default: int | None = None) -> int:
        """A whole number."""
        value = self._of(name, int, default)
        if isinstance(value, bool):
            raise self.nonsense(f"{name} is of another type")
        return value

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Yes or no."""
        return self._of(name, bool, default)

    def commit(self, name: str) -> str:
        """The id of a commit."""
        value = self.text(name)
        if not _SHA.fullmatch(value):
            raise self.nonsense(f"{name} is no commit")
        return value

    def object(self, name: str) -> "Fields":
        """An object within."""
        return Fields(self._data.get(name), f"{name} of {self.what}")

    def maybe(self, name: str) -> "Fields | None":
        """An object within, where there is one."""
        return self.object(name) if self.has(name) else None

    def objects(self, name: str) -> list["Fields"]:
        """A list of objects within; empty where it is missing."""
        return rows(self._of(name, list, []), f"{name} of {self.what}")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings within; empty where it is missing."""
        found = self._of(name, list, [])
        if not all(isinstance(one, str) for one in found):
            raise self.nonsense(f"{name} is of another type")
        return tuple(found)

    def nonsense(self, why: str) -> ForgeDown:
        """What to raise where it makes no sense."""
        return ForgeDown(f"GitHub sent {self.what} that makes no sense: {why}", 120.0)

    def _of(self, name: str, kind: type[_T], default: _T | None) -> _T:
        value = self._data.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, kind):
            raise self.nonsense(f"{name} is missing or of another type")
        return value


def rows(data: object, what: str) -> list[Fields]:
    """A list of objects that GitHub sent."""
    if not isinstance(data, list):
        raise ForgeDown(f"GitHub sent {what} that makes no sense: it is no list", 120.0)
    return [Fields(one, what) for one in cast("Sequence[Any]", data)]
