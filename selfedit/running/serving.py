"""Which commit the bot serves, as distinct from what `main` is: the two differ while something must be taken back."""

import contextlib
from collections.abc import Callable

from policies.decision import Finding
from selfedit.commands import GitFailed
from selfedit.history.ledger import LedgerProblem
from selfedit.history.record import Record
from selfedit.ports import Announce, Host
from selfedit.repo import Repo, RepoProblem
from selfedit.running.loader import Loader, NotLoadable
from selfedit.types import Proposal, Stage


class Serving:
    """Has the bot serve the right commit, and writes down which proposals live by it."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        loader: Loader,
        host: Host | None,
        tell: Announce,
        went_live: Callable[[str], None],
    ) -> None:
        self._repo = repo
        self._record = record
        self._loader = loader
        self._host = host
        self._tell = tell
        self._went_live = went_live

    def target(self) -> str:
        """The commit that should run.

        That is `main` where we vouch for it, else the one that was kept last; and while a revert is owed, what was
        there before the change, and before any that was taken back since.
        """
        if self._record.owed:
            before = self._before(self._first_bad_merge())
            return before if self._loader.vouched(before) else self._record.kept
        main = self._repo.main()
        return main if self._loader.vouched(main) else self._record.kept

    def provisional(self) -> Proposal | None:
        """The newest proposal that is merged and served but not yet found good."""
        waiting = [
            p
            for p in self._record.proposals.values()
            if p.stage in (Stage.MERGED, Stage.LIVE) and p.number not in self._record.owed
        ]
        return max(waiting, key=lambda p: self._record.commits[p.merge].seq, default=None)

    async def load(self) -> str | None:
        """Have the bot serve what it should.

        Returns:
            None when it does, else why not; a bot that is gone loads when it is started again.
        """
        try:
            finding = await self.try_load(self.target())
        except (NotLoadable, ConnectionError, GitFailed, RepoProblem, OSError) as error:
            return str(error)
        return finding.message if finding else None

    async def try_load(self, commit: str) -> Finding | None:
        """Have the bot serve a commit; a Finding says why it would not. Nothing without a bot.

        Raises:
            NotLoadable: Nobody vouches for it.
            ConnectionError: The bot is gone.
        """
        if self._host is None:
            return None
        waiting = self.provisional()
        provisional = waiting.number if waiting is not None else 0
        plan = self._loader.plan(commit).model_copy(update={"provisional": provisional})
        finding = await self._host.load(plan)
        if (
            finding is None and not self._record.owed
        ):  # what stands in for something else is not what is watched
            self._went_live(commit)
            with contextlib.suppress(LedgerProblem):  # it serves all the same; it is noted when that can be
                self.note_live(commit)
        return finding

    def note_live(self, commit: str) -> None:
        """The bot serves a commit: write down which proposals live by it, where that was not done yet.

        Raises:
            LedgerProblem: It cannot be written down now.
        """
        if self._record.owed or commit != self._repo.main():
            return
        for proposal in list(self._record.proposals.values()):
            if proposal.stage is Stage.MERGED:
                self._record.write("live", proposal.number, commit=commit)
                self._tell(proposal.number, Stage.LIVE, "live, under watch")

    def keep(self, commit: str) -> list[int]:
        """The watch found a commit good: everything that lives by it is kept."""
        living = [p.number for p in self._record.proposals.values() if p.stage is Stage.LIVE]
        kept = [number for number in living if number not in self._record.owed]
        for number in kept:
            self._record.write("kept", number, commit=commit)
            self._tell(number, Stage.KEPT, "kept")
        if not kept and self._record.kept != commit:
            self._record.write("kept", commit=commit)
        return kept

    def _before(self, merge: str) -> str:
        told = [p.before for p in self._record.proposals.values() if p.merge == merge]
        return next(filter(None, told), None) or self._repo.parents(merge)[0]

    def _first_bad_merge(self) -> str:
        """The oldest merge that has to be undone so that nothing owed, and nothing taken back since, is served."""
        commits, proposals = self._record.commits, self._record.proposals
        bad = [proposals[number].merge for number in self._record.owed]
        reverted = [p for p in proposals.values() if p.stage is Stage.REVERTED and p.merge in commits]
        while True:
            first = min(bad, key=lambda merge: commits[merge].seq)
            within = [
                p for p in reverted if commits[p.merge].seq < commits[first].seq < commits[p.revert].seq
            ]
            if not within:
                return first
            bad += [p.merge for p in within]
