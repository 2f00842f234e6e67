"""What the gate may work out again but need not: small files by name, oldest thrown out first."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

KEPT_FILES = 64


class Cache:
    """A folder of such files. Losing it costs time, nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "gate"

    def read(self, name: str) -> bytes | None:
        """A file's content; None where it is not there."""
        path = self._folder / name
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Keep a file, whole or not at all.

        Raises:
            OSError: The folder cannot be written to.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
            file.write(data)
        Path(file.name).replace(self._folder / name)
        kept = sorted(self._folder.glob("[!.]*"), key=_used)
        for old in kept[:-KEPT_FILES]:
            old.unlink(missing_ok=True)


def _used(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):  # another steward's gate may be tidying, too
        return path.stat().st_mtime
    return 0.0


def digest(*parts: str) -> str:
    """A name for what depends on exactly these parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
