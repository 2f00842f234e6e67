"""What a crash between two effects leaves behind, and who tidies it up."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.home import socket_path
from selfedit.types import Request, Stage
from tests.fakes.world import FAST, World, clone, git

ME = "console:ann"
EDITS = '[{"op": "write_text", "path": "agent/live/prompts/chat.md", "text": "Be brief.\\n"}]'


async def test_a_branch_of_an_ended_proposal_goes_at_the_next_start(tmp_path: Path, caches: Path) -> None:
    """A steward that died after it wrote "rejected" and before it took the branch away finishes that."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "caches").symlink_to(caches)
    world = World(clone(tmp_path / "repo", FAST), home)
    async with world:
        asked = await world.ask(say.Improve(request=Request(requested_by=ME, edits=parse_edits(EDITS))))
        assert isinstance(asked, say.ProposalIs)
        proposal = asked.proposal
        assert proposal.stage is Stage.OPENED
        assert proposal.branch in git(world.root, "branch", "--list", "improve/*")
        await world.ask(say.Reject(number=proposal.number, by=ME))
        await world.end()
        git(world.root, "branch", proposal.branch, proposal.head)
        await world.start()
        await world.until(lambda status: bool(status.running))
        assert git(world.root, "branch", "--list", "improve/*") == ""


async def test_what_was_asked_for_goes_on_when_the_asker_hangs_up(tmp_path: Path, caches: Path) -> None:
    """A command line that is cut off strands nothing: the change it asked for is judged and opened all the same."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "caches").symlink_to(caches)

    async def nothing(_: BaseModel) -> None:
        """Answer nothing."""

    async with World(clone(tmp_path / "repo", FAST), home) as world:
        peer = await say.connect(str(socket_path(home)), nothing)
        listening = asyncio.create_task(peer.run())
        asking = asyncio.create_task(
            peer.call(say.Improve(request=Request(requested_by=ME, edits=parse_edits(EDITS))))
        )
        stages: list[Stage] = []
        async with asyncio.timeout(180):
            while not stages:
                stages = await stages_of(world)
        await peer.close()
        await asyncio.gather(asking, listening, return_exceptions=True)
        async with asyncio.timeout(300):
            while stages != [Stage.OPENED]:
                await asyncio.sleep(0.1)
                stages = await stages_of(world)


async def stages_of(world: World) -> list[Stage]:
    listed = await world.ask(say.Proposals(limit=10))
    assert isinstance(listed, say.ProposalsAre)
    return [proposal.stage for proposal in listed.proposals]
