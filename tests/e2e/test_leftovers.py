"""What a crash between two effects leaves behind, and who tidies it up."""

from pathlib import Path

from selfedit import protocol as say
from selfedit.edits import parse_edits
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
        await world.until(lambda status: bool(status.running), 30)
        assert git(world.root, "branch", "--list", "improve/*") == ""
