"""`python -m sandbox`: which sandbox there is here; `python -m sandbox probe`: what it really holds.

The probe runs hostile programs inside and prints what became of them; it takes a minute. Exit code 0 when
there is a sandbox, 1 when there is none, and 3 when the probe finds one that holds less than it says.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import get_args

from sandbox.choose import Choice, open_sandbox
from sandbox.probe import Standing, Tried, disagreements, probe, standings
from sandbox.types import Sandbox, SandboxUnavailable

LESS = 3


def main() -> int:
    """Open the sandbox that is asked for, look around inside, and tell."""
    reader = argparse.ArgumentParser(prog="python -m sandbox", description=(__doc__ or "").partition("\n")[0])
    reader.add_argument(
        "what", nargs="?", choices=("name", "probe"), default="name", help="name it, or try it out"
    )
    reader.add_argument(
        "--backend", choices=get_args(Choice), default=_wished(), help="(what THESEUS_SANDBOX says)"
    )
    reader.add_argument("--runtime", default="", help="container runtime, by name (the engine's usual one)")
    reader.add_argument("--root", type=Path, default=Path.cwd(), help="the repository (here)")
    reader.add_argument("--home", type=Path, default=_home(), help="where caches and locks are")
    reader.add_argument("--brief", action="store_true", help="nothing but the name")
    reader.add_argument("--json", action="store_true", help="every attempt, for programs")
    asked = reader.parse_args()
    try:
        return asyncio.run(_tell(asked))
    except SandboxUnavailable as error:
        sys.stdout.write(f"{error}\n")
        return 1


def _wished() -> str:
    wish = os.environ.get("THESEUS_SANDBOX", "auto")
    return wish if wish in get_args(Choice) else "auto"


def _home() -> Path:
    """Caches outlive a look; whoever runs Theseus has a place for them, and another gets one of the usual kind."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("THESEUS_HOME") or caches / "theseus-sandbox")


async def _tell(asked: argparse.Namespace) -> int:
    sandbox = await open_sandbox(
        asked.backend,
        root=asked.root.resolve(),
        home=asked.home.expanduser().resolve(),
        owner=f"look-{os.getpid()}",
        runtime=asked.runtime,
        tell=lambda sentence: print(sentence, file=sys.stderr),
    )
    try:
        kind = "reduced" if sandbox.info.reduced else "full profile"
        lines = [f"{sandbox.info.backend} ({kind})"]
        if asked.what == "probe":
            tried = await probe(sandbox)
            print(_json(sandbox, tried) if asked.json else "\n".join([*lines, *table(sandbox, tried)]))
            return LESS if disagreements(sandbox.info, tried) else 0
        if not asked.brief:
            lines.append(f"image: {sandbox.info.image}")
            lines += [
                f"{'held    ' if one.held else 'not held'} {one.name}"
                + (f" ({one.detail})" if one.detail else "")
                for one in sandbox.info.protections
            ]
        print("\n".join(lines))
        return 0
    finally:
        await sandbox.close()


def table(sandbox: Sandbox, tried: tuple[Tried, ...]) -> list[str]:
    """A line for each shield, and which of them the sandbox has wrong."""
    wide = max(len(standing) for standing in Standing)
    lines = [
        f"{standing:<{wide}}  {shield}" + (f" ({detail})" if detail else "")
        for shield, (standing, detail) in standings(tried).items()
    ]
    return lines + [f"the sandbox says otherwise of: {name}" for name in disagreements(sandbox.info, tried)]


def _json(sandbox: Sandbox, tried: tuple[Tried, ...]) -> str:
    said = {
        "backend": sandbox.info.backend,
        "image": sandbox.info.image,
        "reduced": sandbox.info.reduced,
        "shields": {
            shield: {"standing": standing, "detail": detail}
            for shield, (standing, detail) in standings(tried).items()
        },
        "attempts": [
            {
                "program": one.program,
                "attempt": one.attempt,
                "shield": one.shield,
                "standing": one.standing,
                "detail": one.detail,
            }
            for one in tried
        ],
        "disagreements": disagreements(sandbox.info, tried),
    }
    return json.dumps(said, indent=1)


if __name__ == "__main__":
    sys.exit(main())
