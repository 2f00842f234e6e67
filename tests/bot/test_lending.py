"""What tools are lent is opened when it is asked for, once, and let go of at the end."""

import asyncio
from pathlib import Path

from bot.lending import Lending
from policies.load import load_rules


async def test_services_are_opened_once_and_closed(tmp_path: Path) -> None:
    """However many ask at once, they are lent the same; and nothing is left open."""
    lending = Lending(load_rules(), tmp_path)
    first, second = await lending.lent(), await lending.lent()
    assert first is second
    assert {"web", "runner"} <= set(first)
    await lending.close()


async def test_nothing_has_to_be_opened(tmp_path: Path) -> None:
    """A bot whose tools were never used has nothing to close."""
    await Lending(load_rules(), tmp_path).close()


async def test_nobody_waits_for_a_sandbox_that_they_do_not_use(tmp_path: Path) -> None:
    """While a sandbox is being tried out, everything is lent at once."""
    lending = Lending(load_rules(), tmp_path)
    await lending.lent()
    trying = asyncio.create_task(lending._open_sandbox())
    await asyncio.sleep(0)  # it has begun, and waits for a thread
    lent = await lending.lent()
    assert not trying.done()
    assert "web" in lent
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
    await lending.close()
