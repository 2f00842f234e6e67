"""A webhook that comes again has no effect, also in the next process."""

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from bot.api.deliveries import KEPT_SECONDS, MOST, Deliveries, names
from bot.api.hints import Hints
from tests.github.webhooks import Sent, edge, said

ROOT = Path(__file__).parents[2]


async def test_what_comes_again_has_no_effect_also_in_the_next_process(tmp_path: Path) -> None:
    """The same delivery at once, later, and after a restart: taken, and the steward is told once."""
    sent = Sent.of(said())
    async with edge(tmp_path, gathers=True) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
        again = await hooked.send(sent)
        assert (again.status, again.said) == (202, {"status": "ignored", "why": "heard before"})
        assert await hooked.counted() == 1
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 1
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 0


async def test_a_copied_body_under_another_delivery_id_has_no_effect(tmp_path: Path) -> None:
    """The id is not signed, so that what was copied on its way is known by its body as well."""
    sent = Sent.of(said())
    async with edge(tmp_path) as hooked:
        await hooked.send(sent)
        assert await hooked.counted() == 1
        sent.headers["X-GitHub-Delivery"] = "11111111-2222-3333-4444-555555555555"
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 1


async def test_a_delivery_is_remembered_only_when_the_hint_has_left(tmp_path: Path) -> None:
    """What was taken just before the process ended may come again, and then wakes the steward."""
    sent = Sent.of(said())
    async with edge(tmp_path, gathers=True) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
        assert await hooked.counted() == 1


async def test_what_the_steward_was_not_told_of_may_come_again(tmp_path: Path) -> None:
    """The steward is not there: the delivery does not count as heard, and sent once more it is told of."""
    ends: list[Exception | None] = [ConnectionError(), None]

    async def tell() -> None:
        if (error := ends.pop(0)) is not None:
            raise error

    async def rest() -> None:
        """No more comes."""

    with closing(Deliveries(tmp_path / "kept.sqlite3")) as deliveries:
        hints, one = Hints(tell, deliveries, rest), names("delivery-1", b"body")
        running = asyncio.create_task(hints.run())
        for heard in (False, True):
            hints.owe(one)
            await hints.settled()
            assert (hints.heard(one), deliveries.heard(one)) == (heard, heard)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_what_was_heard_is_kept_for_a_time_and_up_to_a_number(tmp_path: Path) -> None:
    """Older deliveries, and the oldest of too many, are let go of, so that the file does not grow for ever."""
    moment = [0.0]
    deliveries = Deliveries(tmp_path / "kept.sqlite3", lambda: moment[0])
    old, new = names("old-delivery", b"old"), names("new-delivery", b"new")
    deliveries.remember([old])
    moment[0] = KEPT_SECONDS + 1
    deliveries.remember([new])
    deliveries.close()
    deliveries = Deliveries(tmp_path / "kept.sqlite3", lambda: moment[0])
    assert (deliveries.heard(old), deliveries.heard(new)) == (False, True)
    moment[0] += 1
    deliveries.remember([names(f"delivery-{number}", b"%d" % number) for number in range(MOST)])
    assert not deliveries.heard(new)
    assert deliveries.heard(names("delivery-7", b"7"))
    deliveries.close()
    with sqlite3.connect(tmp_path / "kept.sqlite3") as kept:
        assert kept.execute("SELECT COUNT(*) FROM heard").fetchone() == (2 * MOST,)
    kept.close()


async def test_what_was_heard_outlives_a_kill(tmp_path: Path) -> None:
    """A process that is killed in the moment after it wrote a delivery down has it written down."""
    program = (
        "import sys, time; from pathlib import Path; from bot.api.deliveries import Deliveries, names\n"
        "kept = Deliveries(Path(sys.argv[1])); kept.remember([names('delivery-1', b'body')])\n"
        "print('written', flush=True); time.sleep(60)"
    )
    path = tmp_path / "kept.sqlite3"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"written\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    deliveries = Deliveries(path)
    assert deliveries.heard(names("delivery-1", b"another body"))
    assert deliveries.heard(names("another-delivery", b"body"))
    assert not deliveries.heard(names("another-delivery", b"another body"))
    deliveries.close()
