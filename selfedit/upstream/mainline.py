"""What moves `main` where it lives on a forge: nothing is moved here but to follow it."""

from dataclasses import replace

from policies.decision import Decision
from policies.merge import may_approve
from policies.rights import Person
from selfedit.answers.telling import known_as
from selfedit.mainline.adoption import Adoption
from selfedit.mainline.mainline import AUTOMATIC, EFFECT_FAILED, Mainline
from selfedit.mainline.shared import Shared
from selfedit.ports import ForgeDown, Upstream
from selfedit.proposals.pipeline import Pipeline
from selfedit.pulls import PullState
from selfedit.running.serving import Serving
from selfedit.types import STANDING, Proposal, Stage
from selfedit.upstream.following import SURFACE, Following
from selfedit.upstream.merging import Merging


class UpstreamMainline(Mainline):
    """Has `main` moved on a forge, and follows it; an approval stands until it was carried out or taken back."""

    surface = SURFACE

    def __init__(self, shared: Shared[Upstream], *, pipeline: Pipeline, serving: Serving) -> None:
        super().__init__(shared, pipeline=pipeline, serving=serving)
        self._adoption = Adoption(shared, beside=True)
        self._following = Following(shared)
        self._undoing = self._following.undoing
        self._merging = Merging(shared, pipeline=pipeline, following=self._following)

    async def advance(self, number: int) -> Proposal | Decision:
        """Carry an approval on, as far as it goes there now."""
        async with self._moving:
            answer = await self._merge(number)
        merged = self._shared.record.proposals[number].stage is Stage.MERGED
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
        if number not in self._shared.record.takebacks:
            return
        before = self._serving.target()
        async with self._moving:
            if await self._undoing.step(number, insist=insist):
                await self._following.follow(hinted=True)
        await self._serve_anew(before)

    def second(self, number: int, who: Person, looked_at: str) -> None:
        """Write down that one more person approved a head whose approvals are enough already, and that waits there.

        What would not count is passed over: nothing waits for it.
        """
        proposal = self._shared.record.proposals[number]
        candidate = replace(self._candidate(number), stage=Stage.OPENED.value)
        if may_approve(candidate, who, looked_at, self._shared.rules, self._shared.record.grants).allowed:
            self._shared.record.write("endorsed", number, **self._given(proposal, who))
            self._shared.tell(number, proposal.stage, f"also approved by {known_as(proposal, who.id)}")

    async def withdraw(self, number: int, state: PullState) -> None:
        """Take back approvals that do not stand there any more."""
        await self._merging.withdraw(number, state)

    async def lost(self, number: int, state: PullState) -> None:
        """Say of what was merged there, and is not on `main` there, what is to become of it."""
        async with self._moving:
            self._merging.lost(number, state)

    def wait(self, number: int, why: str) -> Proposal:
        """Say what a proposal waits for."""
        return self._merging.wait(number, why)

    async def reject(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Turn a proposal down; what it was asked to be merged for there is looked at first, for it may have been."""
        if number not in self._shared.record.asked:
            return await super().reject(number, by, why)
        before = self._serving.target()
        async with self._moving:
            try:
                await self._following.follow(hinted=True)
            except ForgeDown as down:
                return Decision.no(
                    "not_known",
                    f"{self._merging.name} was asked to merge proposal {number}, and may have done so ({down}); ask again when "
                    f"that can be found out, or take it back then: /rollback {number}",
                )
            answer = await super().reject(number, by, why)
        await self._serve_anew(before)
        return answer

    async def take_back(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Serve what ran before at once; `main` there follows by a pull request, when it is let."""
        proposal, automatic = self._shared.record.proposals[number], by == AUTOMATIC
        if proposal.stage not in STANDING:
            self._shared.record.owed.pop(number, None)
            return proposal
        if number not in self._shared.record.owed:
            self._shared.record.write("condemned", number, why=why, by=by)
            await self._serving.load()
        if number not in self._shared.record.takebacks:
            async with self._moving:
                no = await self._undoing.begin(proposal, by, why, automatic=automatic)
            if no is not None and not automatic:
                self._shared.record.write("spared", number, why=no.why)
                await self._serving.load()
            if no is not None:
                return no
        elif automatic:
            return Decision.no("under_way", self._shared.record.proposals[number].why)
        try:
            await self.step_back(number, insist=not automatic)
        except (ForgeDown, *EFFECT_FAILED) as down:
            self.wait(
                number, f"what ran before it serves; it is not taken back on {self._merging.name} yet: {down}"
            )
        after = self._shared.record.proposals[number]
        if automatic and after.stage is not Stage.REVERTED:
            return Decision.no("under_way", f"what ran before it serves; {after.why or after.revert_url}")
        return after

    async def settle(self) -> None:
        """Bring here what is known to be `main` there; what is in doubt is found out by asking there."""
        async with self._moving:
            if self._shared.record.adopting is not None:
                self._adoption.finish(self._shared.record.adopting)
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
            return await self._merging.merge(number)
        except (ForgeDown, *EFFECT_FAILED) as error:
            if self._shared.record.proposals[number].stage is not Stage.APPROVED:
                return self._shared.record.proposals[number]
            return self.wait(number, f"it is not merged on {self._merging.name} yet: {error}")

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
