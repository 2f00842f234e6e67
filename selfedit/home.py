"""Where state lives: ledger, keys, caches and sockets, all outside of the tree."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO


class AlreadyRunning(Exception):
    """Another steward holds this repository. Its text says which and what to do."""


class HomeProblem(Exception):
    """The state folder cannot be used. Its text says why and what to do."""


def home_for(root: Path) -> Path:
    """The state folder of the repository at `root`: THESEUS_HOME, or one of its own below the user's state folder.

    Raises:
        HomeProblem: THESEUS_HOME names no place for certain.
    """
    if given := os.environ.get("THESEUS_HOME"):  # an empty one is as good as none
        try:
            path = Path(given).expanduser()
        except RuntimeError:
            raise HomeProblem(
                f"THESEUS_HOME is {given!r}, and there is no such user; name a folder from the root on"
            ) from None
        if not path.is_absolute():
            raise HomeProblem(
                f"THESEUS_HOME is {given!r}, which depends on the working directory; name it from the root on"
            )
        return path.resolve()
    states = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = f"{root.name}-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"
    return states / "theseus" / name


def make_home(home: Path) -> Path:
    """Create the state folder, readable by its owner alone.

    Raises:
        HomeProblem: It cannot be had, or not be written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        why = "is not a folder"
    except OSError as error:
        why = f"cannot be made ({error.strerror or error})"
    else:
        if os.access(home, os.R_OK | os.W_OK | os.X_OK):
            return home
        why = "cannot be written to"
    raise HomeProblem(f"the state folder {home} {why}; set THESEUS_HOME to a folder of your own")


def socket_path(home: Path) -> Path:
    """Where the steward of a home listens for its operator; short, because such paths are limited to 107 bytes."""
    folder = Path(tempfile.gettempdir()) / f"theseus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HomeProblem(
            f"{folder} cannot be made ({error.strerror or error}); remove it, or set TMPDIR"
        ) from error
    if folder.stat().st_uid != os.getuid():
        raise HomeProblem(f"{folder} belongs to somebody else; remove it, or set TMPDIR")
    return folder / f"{hashlib.sha256(str(home).encode()).hexdigest()[:16]}.sock"


class RepoLock:
    """One steward a repository: held by a file lock in git's folder, so that it goes with the process."""

    def __init__(self, common_dir: Path) -> None:
        self._path = common_dir / "theseus.steward"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: Somebody else has it.
        """
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise AlreadyRunning(
                f"Theseus runs on this repository already (process {holder or 'unknown'}); "
                "speak to it with `.venv/bin/python -m selfedit status`, or end it first"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go; may be called twice."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None
