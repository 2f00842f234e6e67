"""What moves `main` where it lives on a forge: nothing is moved here but to follow it."""

from policies.decision import Decision
from policies.load import Rules
from selfedit.adoption import Adoption
from selfedit.elsewhere import Elsewhere
from selfedit.following import SURFACE, Following
from selfedit.gate.gate import Gate
from selfedit.mainline import AUTOMATIC, EFFECT_FAILED, Mainline
from selfedit.pipeline import Pipeline, Tell
from selfedit.ports import ForgeDown, Upstream
from selfedit.pulls import PullState
from selfedit.record import Record
from selfedit.repo import Repo
from selfedit.serving import Serving
from selfedit.signing import Signer
from selfedit.types import STANDING, Proposal, Stage


class UpstreamMainline(Mainline):
    """Has `main` moved on a forge, and follows it; an approval stands until it was carried out or taken back."""

    surface = SURFACE

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        gate: Gate,
        forge: Upstream,
        signer: Signer,
        rules: Rules,
        pipeline: Pipeline,
        serving: Serving,
        tell: Tell,
    ) -> None:
        super().__init__(
            repo=repo,
            record=record,
            gate=gate,
            forge=forge,
            signer=signer,
            rules=rules,
            pipeline=pipeline,
            serving=serving,
            tell=tell,
        )
        self._adoption = Adoption(repo, record, gate, signer, beside=True)
        self._following = Following(
            repo=repo, record=record, gate=gate, forge=forge, signer=signer, rules=rules, tell=tell
        )
        self._takebacks = self._following.takebacks
        self._there = Elsewhere(
            repo=repo,
            record=record,
            gate=gate,
            forge=forge,
            rules=rules,
            pipeline=pipeline,
            following=self._following,
            tell=tell,
        )

    async def advance(self, number: int) -> Proposal | Decision:
        """Carry an approval on, as far as it goes there now."""
        async with self._moving:
            answer = await self._merge(number)
        merged = self._record.proposals[number].stage is Stage.MERGED
        return await self._bring_to_life(number) if merged else answer

    async def follow(self, *, hinted: bool = False) -> None:
        """Follow `main` there, and serve what it became.

        Args:
            hinted: Something is known to have been merged there.

        Raises:
            ForgeDown: It cannot be asked.
        """
        before = self._serving.target()
        async with self._moving:
            await self._following.follow(hinted=hinted)
        await self._serve_anew(before)

    async def step_back(self, number: int, *, insist: bool = False) -> None:
        """Do the next thing that takes a proposal back there.

        Args:
            number: Which.
            insist: Somebody asks for it once more, though it was closed there.

        Raises:
            ForgeDown: It cannot be asked.
        """
        if number not in self._record.takebacks:
            return
        before = self._serving.target()
        async with self._moving:
            if await self._takebacks.step(number, insist=insist):
                await self._following.follow(hinted=True)
        await self._serve_anew(before)

    async def withdraw(self, number: int, state: PullState) -> None:
        """Take back approvals that do not stand there any more."""
        await self._there.withdraw(number, state)

    async def lost(self, number: int, state: PullState) -> None:
        """Say of what was merged there, and is not on `main` there, what is to become of it."""
        async with self._moving:
            self._there.lost(number, state)

    def wait(self, number: int, why: str) -> Proposal:
        """Say what a proposal waits for."""
        return self._there.wait(number, why)

    async def reject(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Turn a proposal down; what it was asked to be merged for there is looked at first, for it may have been."""
        if number not in self._record.asked:
            return await super().reject(number, by, why)
        before = self._serving.target()
        async with self._moving:
            try:
                await self._following.follow(hinted=True)
            except ForgeDown as down:
                return Decision.no(
                    "not_known",
                    f"{self._there.name} was asked to merge proposal {number}, and may have done so ({down}); ask again when "
                    f"that can be found out, or take it back then: /rollback {number}",
                )
            answer = await super().reject(number, by, why)
        await self._serve_anew(before)
        return answer

    async def take_back(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Serve what ran before at once; `main` there follows by a pull request, when it is let."""
        proposal, automatic = self._record.proposals[number], by == AUTOMATIC
        if proposal.stage not in STANDING:
            self._record.owed.pop(number, None)
            return proposal
        if number not in self._record.owed:
            self._record.write("condemned", number, why=why, by=by)
            await self._serving.load()
        if number not in self._record.takebacks:
            async with self._moving:
                no = await self._takebacks.begin(proposal, by, why, automatic=automatic)
            if no is not None and not automatic:
                self._record.write("spared", number, why=no.why)
                await self._serving.load()
            if no is not None:
                return no
        elif automatic:
            return Decision.no("under_way", self._record.proposals[number].why)
        try:
            await self.step_back(number, insist=not automatic)
        except (ForgeDown, *EFFECT_FAILED) as down:
            self.wait(
                number, f"what ran before it serves; it is not taken back on {self._there.name} yet: {down}"
            )
        after = self._record.proposals[number]
        if automatic and after.stage is not Stage.REVERTED:
            return Decision.no("under_way", f"what ran before it serves; {after.why or after.revert_url}")
        return after

    async def settle(self) -> None:
        """Bring here what is known to be `main` there; what is in doubt is found out by asking there."""
        async with self._moving:
            if self._record.adopting is not None:
                self._adoption.finish(self._record.adopting)
            self._following.catch_up()

    async def adopt(self) -> str | None:
        """Judge commits that people put on `main` there, and vouch for them beside; None, or why that is not what runs."""
        async with self._moving:
            return self._following.hindrance() or await self._adoption.adopt()

    def hindrance(self) -> str | None:
        """Why nothing can be built on `main` before a person acts; None when nothing is known of such."""
        return self._following.hindrance() or self._adoption.hindrance()

    # Private

    async def _merge(self, number: int) -> Proposal | Decision:
        try:
            return await self._there.merge(number)
        except (ForgeDown, *EFFECT_FAILED) as error:
            if self._record.proposals[number].stage is not Stage.APPROVED:
                return self._record.proposals[number]
            return self.wait(number, f"it is not merged on {self._there.name} yet: {error}")

    async def _serve_anew(self, before: str) -> None:
        """Serve what should be served now; what cannot be loaded is taken back."""
        self.kernel_moved |= self._following.kernel_moved
        self._following.kernel_moved = False
        if self._serving.target() == before:
            return
        waiting = self._serving.provisional()
        if waiting is not None and waiting.stage is Stage.MERGED:
            await self._bring_to_life(waiting.number)
        else:
            await self._serving.load()
