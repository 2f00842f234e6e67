"""`python -m sandbox --home DIR`: which sandbox there is here, and what it really holds, seen from inside.

Exit code 0 when there is one, 1 when there is none; with `--brief`, one line and nothing but its name.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import get_args

from sandbox.choose import Choice, open_sandbox
from sandbox.probe import probe
from sandbox.types import SandboxUnavailable


def main() -> int:
    """Open the sandbox that THESEUS_SANDBOX names, look around inside, and tell."""
    reader = argparse.ArgumentParser(prog="python -m sandbox", description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--root", type=Path, default=Path.cwd(), help="the repository (here)")
    reader.add_argument("--home", type=Path, required=True, help="where caches and locks are")
    reader.add_argument("--brief", action="store_true", help="one line")
    reader.add_argument("choice", nargs="?", choices=get_args(Choice), default=_wished())
    asked = reader.parse_args()
    try:
        return asyncio.run(_tell(asked.choice, asked.root.resolve(), asked.home.resolve(), brief=asked.brief))
    except SandboxUnavailable as error:
        sys.stdout.write(f"{error}\n")
        return 1


def _wished() -> str:
    wish = os.environ.get("THESEUS_SANDBOX", "auto")
    return wish if wish in get_args(Choice) else "auto"


async def _tell(choice: Choice, root: Path, home: Path, *, brief: bool) -> int:
    sandbox = await open_sandbox(
        choice,
        root=root,
        home=home,
        owner=f"look-{os.getpid()}",
        tell=lambda sentence: print(sentence, file=sys.stderr),
    )
    try:
        kind = "reduced" if sandbox.info.reduced else "full profile"
        lines = [f"{sandbox.info.backend} ({kind})"]
        if not brief:
            lines.append(f"image: {sandbox.info.image}")
            for title, found in (("says", sandbox.info.protections), ("seen inside", await probe(sandbox))):
                lines += [
                    f"{title}: {'held    ' if one.held else 'not held'} {one.name}"
                    + (f" ({one.detail})" if one.detail else "")
                    for one in found
                ]
        sys.stdout.write("\n".join(lines) + "\n")
        return 0
    finally:
        await sandbox.close()


if __name__ == "__main__":
    sys.exit(main())
