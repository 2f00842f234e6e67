"""Commits that people put on `main`: judged as a whole, and vouched for with a signed commit of the same tree."""

from typing import Any

from selfedit.history.ledger import Move
from selfedit.history.messages import adopt_message
from selfedit.mainline.shared import Shared
from selfedit.ports import Forge


class Adoption:
    """Makes people's commits our own, or says why `main` is not what runs."""

    def __init__(self, shared: Shared[Forge], *, beside: bool = False) -> None:
        """Adopt with a commit on top of theirs; `beside` it where `main` lives elsewhere and is only followed here."""
        self._shared = shared
        self._beside = beside

    def hindrance(self) -> str | None:
        """Why nothing can be built on `main` before a person acts; None where judging can help, or nothing is new."""
        main, newest, branch = self._shared.repo.main(), self._shared.record.newest, self._shared.repo.branch
        if main == newest:
            return None
        if why := self._shared.record.declined.get(main):
            return why
        if self._shared.repo.is_ancestor(newest, main):
            return None
        if self._shared.repo.is_ancestor(main, newest):
            return (
                f"{branch} was moved back by hand to {main[:12]}, and nothing is built on that; take it to where it was "
                f"(git reset --keep {newest[:12]}), then undo what is not wanted with /rollback or git revert"
            )
        return (
            f"{branch} was moved to {main[:12]}, which does not contain what ran before ({newest[:12]}); "
            f"move it back (git reset --keep {newest[:12]}), or start over with an empty THESEUS_HOME"
        )

    async def adopt(self) -> str | None:
        """Judge what people committed since our newest commit.

        Returns:
            None if there is nothing to adopt or it was adopted; else why `main` is not what runs.
        """
        main, known = self._shared.repo.main(), self._shared.record.newest
        if main == known:
            return None
        if why := self.hindrance():
            return why
        report = await self._shared.gate.judge(known, main, by_person=True)
        if report.verdict == "unknown":
            return f"the commits on {self._shared.repo.branch} could not be judged: {report.complaint}"
        if report.verdict != "passed":
            why = (
                f"{main[:12]} on {self._shared.repo.branch} did not pass the gate: {report.complaint}; "
                "mend it and commit again"
            )
            self._shared.record.write("declined", commit=main, why=why)
            return why
        tree = self._shared.repo.tree_of(main)
        count = len(self._shared.repo.between(known, main))
        message = adopt_message(report, tree, count, self._shared.record.ledger.last_hash)
        judged = report.tree or tree
        facts: dict[str, Any] = {"old": main, "tree": judged, "policy": report.policy}
        if self._beside:
            voucher = self._shared.signer.vouch(self._shared.repo, main, message)
            return self.finish(self._shared.record.write("adopting", commit=main, vouched=voucher, **facts))
        commit = self._shared.repo.commit(tree, [main], message, self._shared.signer.settings)
        return self.finish(self._shared.record.write("adopting", commit=commit, **facts))

    def finish(self, move: Move) -> str | None:
        """Carry out an adoption that was announced; may be called again after a crash."""
        commit, old = move.data["commit"], move.data["old"]
        vouched = {"vouched": move.data["vouched"]} if "vouched" in move.data else {}
        if not vouched and self._shared.repo.main() == old:
            self._shared.repo.set_ref(self._shared.repo.ref, commit, old)  # the same tree: no file changes
        if self._shared.repo.main() == commit or self._shared.repo.is_ancestor(
            commit, self._shared.repo.main()
        ):
            facts: dict[str, Any] = {"tree": move.data["tree"], "policy": move.data["policy"]}
            self._shared.record.write("adopted", commit=commit, **facts, **vouched)
            return None
        self._shared.record.write("abandoned", why="main moved while it was adopted")
        return f"{self._shared.repo.branch} moved in the meantime; it is looked at again"
