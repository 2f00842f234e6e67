"""The types of third-party packages, worked out once by mypy, so that judging a small change is quick.

Mypy needs some 20 s to read the SDKs' types for the first time. `WARM_UP` is run once, inside, where
the cache is to be used: for Docker while the image is built, for bubblewrap in a run of its own.
Mypy writes to its cache folder also when nothing has changed, so a user copies the (read-only) cache
to a folder of its own first; that is some 90 MB in 16 files and takes less than 0.1 s.
"""

import contextlib
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

WARM_UP = Path(__file__).with_name("warm_up.py")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the cache is made from: one JSON text, the input of `WARM_UP`.

    It names mypy's settings and the packages that the project depends on by itself. It does not look
    at what the code imports: a change of the code alone must not cost a new cache.
    """

    text: str

    @property
    def key(self) -> str:
        """Short hash of it all."""
        return hashlib.sha256(self.text.encode() + WARM_UP.read_bytes()).hexdigest()[:16]


def recipe_for(root: Path) -> Recipe:
    """The recipe for the repository at `root`; one that cannot be read gets mypy's defaults."""
    try:
        read: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        read = {}  # the gate says what is wrong with it; a cache is only about speed
    settings = dict(read.get("tool", {}).get("mypy", {}))
    settings.pop("files", None)
    wanted = read.get("project", {}).get("dependencies", [])
    packages = sorted(found.group().lower() for line in wanted if (found := _NAME.match(line)))
    return Recipe(text=json.dumps({"mypy": settings, "packages": packages}, sort_keys=True))


def unpack(packed: bytes, folder: Path) -> None:
    """Unpack a cache that came out of a sandbox: plain files only; the folder appears when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mypy-", dir=folder.parent) as work:
        target = Path(work) / "cache"
        target.mkdir()
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for entry in tar:
                name = PurePosixPath(entry.name)
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None or name.is_absolute() or ".." in name.parts:
                    continue
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as file:
                    shutil.copyfileobj(content, file)
        with contextlib.suppress(OSError):  # another process was quicker
            target.rename(folder)
