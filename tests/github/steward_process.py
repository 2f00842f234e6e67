"""A steward in a process of its own that carries one proposal through its life, until it is killed or has nothing to do."""

import asyncio
from pathlib import Path

from selfedit.types import Request, Stage
from tests.github.steward_world import ASKED_BY, World, draft, reach


def run(folder: Path, api: str, repository: str, token: str, *, watch: bool) -> None:
    """Take up what the last process left, and go on.

    Args:
        folder: Where repository and state are.
        api: Where the stand-in is.
        repository: Which one there.
        token: As whom.
        watch: Whether the watch finds bad what is live.
    """
    asyncio.run(_run(World(folder, reach(api, repository, token)), watch=watch))


async def _run(steward: World, *, watch: bool) -> None:
    steward.author.ready.append(draft("second words"))
    await steward.mainline.settle()
    await steward.serving.load()
    await steward.pipeline.resume()
    if not steward.record.proposals:
        steward.author.ready.insert(0, draft("first words"))
        await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="words"))
    while True:
        before = steward.record.ledger.last_hash
        await steward.rounds()
        if watch and steward.proposal().stage is Stage.LIVE and not steward.record.owed:
            await steward.mainline.condemn(1, "it is slow")
        if steward.record.ledger.last_hash == before:
            break
    await steward.close()
