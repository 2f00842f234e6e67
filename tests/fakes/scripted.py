"""The scripted model behind either vendor's interface on loopback.

As a program it serves a script and prints its address:

    python -m tests.fakes.scripted --vendor openai --script FILE.json [--port 0]

where the file is a JSON list of turns (`Turn`). Requests are checked as the vendor would check them: an
ill-formed one is answered with status 400 and the fault, and stands in `Script.faults`.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from aiohttp import web
from pydantic import TypeAdapter

from agent.providers.scripted import Script, ScriptedModel, Turn, Use

__all__ = ["SCRIPT", "Script", "ScriptedModel", "Turn", "Use", "Vendor", "serving"]

Vendor = Literal["openai", "anthropic"]
SCRIPT: TypeAdapter[tuple[Turn, ...]] = TypeAdapter(tuple[Turn, ...])


@asynccontextmanager
async def serving(vendor: Vendor, script: Script, port: int = 0) -> AsyncIterator[str]:
    """Serve a script as a vendor would; gives the base address for that vendor's SDK."""
    from tests.fakes import anthropic_server, openai_server

    make = {"openai": openai_server.application, "anthropic": anthropic_server.application}[vendor]
    runner = web.AppRunner(make(script), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield f"{address}/v1" if vendor == "openai" else address
    finally:
        await runner.cleanup()


async def _main() -> None:
    options = argparse.ArgumentParser(description="Serve a scripted model on loopback.")
    options.add_argument("--vendor", choices=("openai", "anthropic"), required=True)
    options.add_argument("--script", type=Path, required=True)
    options.add_argument("--port", type=int, default=0)
    given = options.parse_args()
    script = Script(SCRIPT.validate_json(given.script.read_bytes()))
    async with serving(given.vendor, script, given.port) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except KeyboardInterrupt:
        sys.exit(130)
