"""The line that is being worked on or read, and the names of files for the next one, kept on disk so that a bot that is started again can go on with it."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Left:
    """A line whose answer never came."""

    line: str
    control: bool
    """Whether it is a control command, which must not be carried out twice."""
    tries: int
    steward: int
    """Process id of the steward under which it was typed."""
    files: tuple[str, ...] = ()
    """Paths of what goes along with it."""


class Inflight:
    """One line at most."""

    def __init__(self, home: Path) -> None:
        self._path = home / "inflight.json"
        self._part = home / "unfinished.line"
        self._files = home / "attached.json"

    def begin(self, line: str, *, control: bool, tries: int = 1, files: Sequence[str] = ()) -> None:
        """Note a line before it is worked on.

        Raises:
            OSError: It cannot be written.
        """
        left = Left(line, control, tries, os.getppid(), tuple(files))
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(asdict(left)))
        new.replace(self._path)

    def end(self) -> None:
        """The line has been answered."""
        self._path.unlink(missing_ok=True)

    def left(self) -> Left | None:
        """What the last bot of this steward did not finish; what is older is nobody's wish any more."""
        try:
            left = Left(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return left if left.steward == os.getppid() else None

    def hold(self, files: Sequence[str]) -> None:
        """Note the paths of what is to go along with the next line."""
        if files:
            self._files.write_text(json.dumps([os.getppid(), *files]))
        else:
            self._files.unlink(missing_ok=True)

    def held(self) -> tuple[str, ...]:
        """What the last bot of this steward was to send along with the next line."""
        try:
            steward, *files = json.loads(self._files.read_text())
        except (OSError, ValueError, TypeError):
            return ()
        return tuple(map(str, files)) if steward == os.getppid() else ()

    def keep(self, part: bytes) -> None:
        """Keep the beginning of a line that is still being typed; nothing forgets it."""
        if part:
            self._part.write_bytes(b"%d\n%b" % (os.getppid(), part))
        else:
            self._part.unlink(missing_ok=True)

    def kept(self) -> bytes:
        """What the last bot of this steward had read of a line without seeing its end."""
        try:
            steward, _, part = self._part.read_bytes().partition(b"\n")
        except OSError:
            return b""
        return part if steward == b"%d" % os.getppid() else b""
