"""What the bot is told to load: the live files of one commit of `main`, read from its blobs."""

from selfedit.history.record import Record
from selfedit.history.signing import Signer
from selfedit.repo import Repo
from selfedit.types import LoadPlan, SourceFile


class NotLoadable(Exception):
    """A commit that must not be loaded. Its text says why."""


class Loader:
    """Makes load plans, for commits that the steward vouches for."""

    def __init__(self, repo: Repo, record: Record, signer: Signer, live: tuple[str, ...]) -> None:
        self._repo = repo
        self._record = record
        self._signer = signer
        self._live = live

    def vouched(self, commit: str) -> bool:
        """Whether a commit is the genesis, or one of ours that bears our signature."""
        if commit == self._record.genesis:
            return True
        return commit in self._record.commits and self._signer.signed(self._repo, commit)

    def plan(self, commit: str) -> LoadPlan:
        """Everything needed to bring a commit's live code to life.

        Raises:
            NotLoadable: The commit is neither signed by the steward nor the genesis, or a file is no text.
        """
        if not self.vouched(commit):
            raise NotLoadable(
                f"{commit[:12]} is neither signed by the steward nor what was installed; it is not loaded"
            )
        return LoadPlan(commit=commit, tree=self._repo.tree_of(commit), files=self._files(commit))

    def texts(self, commit: str) -> dict[str, str]:
        """The text of every live file of a commit, by path."""
        return {file.path: file.text for file in self._files(commit)}

    def _files(self, commit: str) -> tuple[SourceFile, ...]:
        entries = self._repo.entries(commit)
        wanted = {p: e.sha for p, e in entries.items() if p.startswith(self._live) and e.mode == "100644"}
        blobs = self._repo.blobs(wanted.values())
        try:
            return tuple(SourceFile(path=p, blob=sha, text=blobs[sha].decode()) for p, sha in wanted.items())
        except UnicodeDecodeError as error:
            raise NotLoadable(f"a live file of {commit[:12]} is not UTF-8 text") from error
