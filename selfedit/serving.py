"""Which commit the bot serves, as distinct from what `main` is: the two differ while something must be taken back."""

from collections.abc import Callable

from policies.decision import Finding
from selfedit.loader import Loader, NotLoadable
from selfedit.ports import Host
from selfedit.record import Record
from selfedit.repo import Repo
from selfedit.types import Proposal, Stage

Tell = Callable[[int, Stage, str], None]


class Serving:
    """Has the bot serve the right commit, and writes down which proposals live by it."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        loader: Loader,
        host: Host | None,
        tell: Tell,
        went_live: Callable[[str], None],
    ) -> None:
        self._repo = repo
        self._record = record
        self._loader = loader
        self._host = host
        self._tell = tell
        self._went_live = went_live
        self.owed: dict[int, str] = {}
        """Merged proposals that must be taken back and could not be yet, and why they must. They are not served."""

    def target(self) -> str:
        """The commit that should run.

        That is `main` where we vouch for it, else the one that was kept last; and what was there before the
        first of those that are owed a revert.
        """
        merges = [self._record.proposals[number].merge for number in self.owed]
        if merges:
            return self._repo.parents(min(merges, key=lambda merge: self._record.commits[merge].seq))[0]
        main = self._repo.main()
        return main if self._loader.vouched(main) else self._record.kept

    def provisional(self) -> Proposal | None:
        """The newest proposal that is merged and served but not yet found good."""
        waiting = [
            p
            for p in self._record.proposals.values()
            if p.stage in (Stage.MERGED, Stage.LIVE) and p.number not in self.owed
        ]
        return max(waiting, key=lambda p: self._record.commits[p.merge].seq, default=None)

    async def load(self) -> str | None:
        """Have the bot serve what it should.

        Returns:
            None when it does, else why not; a bot that is gone loads when it is started again.
        """
        try:
            finding = await self.try_load(self.target())
        except (NotLoadable, ConnectionError) as error:
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
        finding = await self._host.load(self._loader.plan(commit))
        if finding is None and not self.owed:  # what stands in for something else is not what is watched
            for proposal in list(self._record.proposals.values()):
                if proposal.stage is Stage.MERGED and commit == self._repo.main():
                    self._record.write("live", proposal.number, commit=commit)
                    self._tell(proposal.number, Stage.LIVE, "live, under watch")
            self._went_live(commit)
        return finding

    def keep(self, commit: str) -> list[int]:
        """The watch found a commit good: everything that lives by it is kept."""
        living = [p.number for p in self._record.proposals.values() if p.stage is Stage.LIVE]
        kept = [number for number in living if number not in self.owed]
        for number in kept:
            self._record.write("kept", number, commit=commit)
            self._tell(number, Stage.KEPT, "kept")
        if not kept and self._record.kept != commit:
            self._record.write("kept", commit=commit)
        return kept
