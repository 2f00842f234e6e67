"""A repository here, one on the stand-in with the same history, and the forge between them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from policies.decision import Finding
from sandbox.types import SandboxInfo
from selfedit.editing.edits import WriteText
from selfedit.forge.github.forge import GitHubForge, open_forge
from selfedit.forge.github.settings import GitHubSettings, read_settings
from selfedit.ports import Shown
from selfedit.types import Check, GateReport, Proposal, Stage
from tests.fakes.github.description import Description, Missing
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import SmallRepo


class ForgeWorld:
    """One forge, and what a steward would hand to it.

    Attributes:
        github: The stand-in.
        small: The repository here.
        forge: The forge between them.
        forge_is_app: Whether it acts as an App, and not with a token.
    """

    def __init__(self, github: GitHub, small: SmallRepo, *, app: bool) -> None:
        self.github, self.small = github, small
        self.forge_is_app = app
        self.settings = settings_of(github, app=app)
        self.forge = self.again()

    def again(self) -> GitHubForge:
        """Another forge on the same repositories, as after a restart."""
        return open_forge(self.settings, self.small.repo, backoff=0.001)

    async def again_opened(self, proposal: Proposal) -> Shown:
        """Open a proposal as another process would."""
        forge = self.again()
        try:
            return await forge.open(proposal)
        finally:
            await forge.end()

    def head(self, text: str = "hello", on: str | None = None, path: str = "agent/live/greeting.md") -> str:
        """A commit here that writes a live file."""
        return self.small.change({path: f"{text}\n"}, on, f"Say {text}")

    def proposal(self, head: str = "", number: int = 7, **changes: Any) -> Proposal:
        """A proposal whose draft stands."""
        made = Proposal(
            number=number,
            stage=Stage.DRAFTED,
            title="Greet people",
            goal="greet people",
            reason="It is friendlier.",
            requested_by="discord:1",
            author="model",
            model="m",
            edits=(WriteText(op="write_text", path="agent/live/greeting.md", text="hello\n"),),
            branch=f"improve/{number}-greet-people",
            base=self.small.base,
            head=head or self.head(),
        )
        return made.model_copy(update=changes)

    def judged(
        self, proposal: Proposal, verdict: str = "passed", findings: Sequence[Finding] = ()
    ) -> Proposal:
        """The same, with a verdict on its head."""
        report = GateReport(
            verdict=verdict,  # type: ignore[arg-type]  # as the test says
            base=proposal.base,
            head=proposal.head,
            tree=self.small.repo.tree_of(proposal.head),
            policy="p" * 64,
            sandbox=SandboxInfo(backend="docker", image="sha256:1", reduced=False),
            checks=(
                Check(
                    name="lint",
                    passed=verdict == "passed",
                    seconds=1,
                    summary="looked",
                    findings=tuple(findings),
                ),
            ),
        )
        return proposal.model_copy(update={"report": report, "stage": Stage.OPENED})

    async def opened(self, number: int = 7) -> Proposal:
        """A proposal that is under review."""
        one = self.judged(self.proposal(number=number))
        shown = await self.forge.open(one)
        return one.model_copy(update={"pull": shown.pull, "url": shown.url, "approved_head": one.head})


def settings_of(github: GitHub, *, app: bool) -> GitHubSettings:
    """What an operator would set to act there."""
    given = {"GITHUB_REPOSITORY": github.repository, "GITHUB_API_URL": github.api}
    if app:
        given |= {
            "GITHUB_APP_ID": str(github.app_id),
            "GITHUB_APP_KEY": github.app_key,
            "GITHUB_INSTALLATION_ID": str(github.installation_id),
        }
    else:
        given["GITHUB_TOKEN"] = github.token
    found = read_settings(given)
    assert found is not None
    return found


@asynccontextmanager
async def forge_world(
    folder: Path, described: Description | Missing, *, app: bool = True
) -> AsyncIterator[ForgeWorld]:
    """A world of its own; a request that GitHub would not understand fails the test."""
    (folder / "here").mkdir()
    small = SmallRepo(folder / "here")
    judge = described if isinstance(described, Description) else None
    async with GitHub(folder / "there", start=small.root, judge=judge) as github:
        world = ForgeWorld(github, small, app=app)
        yield world
        await world.forge.end()
        assert github.violations == []
