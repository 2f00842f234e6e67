"""The gate: judges the exact tree that would become `main`, in fresh sandboxes, and says what it found.

In order: policy on the difference of the trees; the merge tree's live files with base's everything else;
then, side by side and each in a sandbox of its own: one that only reads the code (format, lint, types, imports), one that
runs its tests, one that loads it and talks to it, one that asks it what main promises of it, one that tries whether
its tests would notice a fault. The first reads nothing that candidate code could have touched, so its report cannot be
forged from within. Whatever cannot be found out is never a pass.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from policies.decision import Finding, Severity
from policies.edits import review_changes
from policies.load import Rules
from policies.zones import Zone, zone_of
from sandbox.types import Sandbox, SandboxInfo, SandboxUnavailable
from selfedit.commands import GitFailed
from selfedit.gate import change, evidence
from selfedit.gate.assemble import NotJudgeable, read_changes
from selfedit.gate.checks.all import Checks
from selfedit.gate.checks.readiness import Case
from selfedit.objects import Conflict
from selfedit.ports import Tell
from selfedit.repo import Repo
from selfedit.types import Check, GateReport, Verdict


@dataclass(slots=True)
class _Judgement:
    """One head on one base, and what is known of it so far."""

    base: str
    head: str
    by_person: bool
    quick: bool
    started: float = field(default_factory=time.monotonic)
    tree: str = ""
    sandbox: SandboxInfo | None = None
    checks: list[Check] = field(default_factory=list)

    def report(self, verdict: Verdict, policy: str) -> GateReport:
        """The report at this point."""
        return GateReport(
            verdict=verdict,
            base=self.base,
            head=self.head,
            tree=self.tree,
            policy=policy,
            sandbox=self.sandbox,
            checks=tuple(self.checks),
            seconds=round(time.monotonic() - self.started, 3),
        )


class Gate:
    """Judges heads. One a repository; may be asked for several at once."""

    def __init__(
        self,
        repo: Repo,
        sandbox: Callable[[], Awaitable[Sandbox]],
        rules: Rules,
        cache: Path,
        unfit: Callable[[], str] = lambda: "",
        *,
        failed_before: Callable[[str, str, str], tuple[Check, ...]] = lambda *_: (),
    ) -> None:
        """Set the gate up; nothing is started yet.

        Args:
            repo: Where the commits are.
            sandbox: Opens the sandbox, at its first use; it stays the opener's to close.
            rules: What is allowed, and which checks there are.
            cache: Folder for what can be worked out again: lists of tests, types.
            unfit: Looks at what a verdict relies on beside the code, and says why none may be given now.
            failed_before: What was found when this tree failed under this policy in this image; nothing where it is
                not known to have failed. What this gate found itself it remembers without being told.
        """
        self._repo = repo
        self._open = sandbox
        self._rules = rules
        self._cache = cache
        self._unfit = unfit
        self._failed_before = failed_before
        self._passed: dict[tuple[str, ...], tuple[Check, ...]] = {}
        self._failed: dict[tuple[str, ...], tuple[Check, ...]] = {}
        self._checks: Checks | None = None
        self._getting_ready: asyncio.Task[None] | None = None

    async def judge(
        self,
        base: str,
        head: str,
        *,
        by_person: bool = False,
        quick: bool = False,
        tell: Tell = lambda _: None,
    ) -> GateReport:
        """Judge what `main` at `base` would become with `head`.

        Args:
            base: A commit of main.
            head: The commit that asks to be merged.
            by_person: People made `head` on main by hand: kernel files may differ, and its own settings and tests
                are what it is judged by.
            quick: Only what an author of a draft needs to hear soon; such a report is good for no merge.
            tell: Hears about progress.

        Returns:
            The report. `unknown` when it could not be found out, with a finding that says why.
        """
        case = _Judgement(base, head, by_person, quick)
        try:
            verdict = await self._judge(case, tell)
        except SandboxUnavailable as error:
            verdict = _unknown(case, "no_sandbox", str(error))
        except NotJudgeable as error:
            verdict = _unknown(case, "not_judgeable", str(error))
        except (GitFailed, OSError) as error:
            verdict = _unknown(
                case, "not_readable", f"the gate could not read or write what it needs: {error}"
            )
        except Exception as error:  # noqa: BLE001 - a fault of the gate must end in red, never in a pass or a crash
            verdict = _unknown(
                case, "gate_fault", f"a fault of the gate itself: {type(error).__name__}: {error}"
            )
        return case.report(verdict, self._rules.policy)

    def lets_pass(self, base: str, head: str) -> bool:
        """Whether the policy alone has nothing against a head; a cheap look, and no verdict."""
        merged = self._repo.merge_tree(base, head)
        if isinstance(merged, Conflict):
            return False
        return self._policy(_Judgement(base, head, by_person=False, quick=True), merged).passed

    def prepare(self, base: str) -> None:
        """Start getting ready for a head on this base; returns at once. It is only about speed."""
        if self._getting_ready is None or self._getting_ready.done():
            self._getting_ready = asyncio.create_task(self._prepare(base))

    async def ready(self) -> None:
        """Wait until what `prepare` began is there."""
        if self._getting_ready is not None:
            await asyncio.wait({self._getting_ready})

    async def release(self) -> None:
        """End what waits in the sandbox without having been used, and see that end which was given up.

        Whoever has a gate calls this in the end; it may be called twice.
        """
        if self._getting_ready is not None:
            self._getting_ready.cancel()
            await self.ready()
        if self._checks is not None:
            await self._checks.drop()

    async def _prepare(self, base: str) -> None:
        # Whatever is wrong here is found out again, and said, when a head is judged.
        with contextlib.suppress(SandboxUnavailable, NotJudgeable, GitFailed, OSError):
            await self._checks_in(await self._open()).prepare(base)

    def _checks_in(self, sandbox: Sandbox) -> Checks:
        if self._checks is None or self._checks.sandbox is not sandbox:
            self._checks = Checks(self._repo, sandbox, self._rules, self._cache)
        return self._checks

    async def _judge(self, case: _Judgement, tell: Tell) -> Verdict:
        if why := self._unfit():
            return _unknown(case, "self_check", why)
        repo = self._repo
        revisions = (case.base, case.head)
        found = await asyncio.gather(*(asyncio.to_thread(repo.resolve, rev) for rev in revisions))
        for rev, commit in zip(revisions, found, strict=True):
            if commit is None:
                return _unknown(case, "no_such_commit", f"there is no commit {rev[:80]!r} in {repo.root}")
        merged = await asyncio.to_thread(repo.merge_tree, case.base, case.head)
        if isinstance(merged, Conflict):
            where = ", ".join(merged.paths[:10])
            message = (
                f"it cannot be merged, because main changed the same places in {where}; ask for it again"
            )
            paths = [
                evidence.no("conflict", f"{path} was changed on both sides", path)
                for path in merged.paths[1:]
            ]
            first = evidence.no("conflict", message, merged.paths[0] if merged.paths else "")
            case.checks.append(
                Check(name="merge", passed=False, seconds=0, summary=message, findings=(first, *paths))
            )
            return "failed"
        tell("reading the change")
        # What the checks will want of the tree is read meanwhile; git remembers it.
        policy, _ = await asyncio.gather(
            asyncio.to_thread(self._policy, case, merged), asyncio.to_thread(repo.entries, merged)
        )
        case.checks.append(policy)
        if not policy.passed:
            return "refused"
        case.tree = merged
        sandbox = await self._open()
        case.sandbox = sandbox.info
        known = self._passed_before(case) or self._known_to_fail(case)
        if known is None:
            await self.ready()
            tell(f"checking in {sandbox.info.backend}")
            known = await self._run(case, sandbox)
        case.checks += known
        if not all(check.passed for check in case.checks):
            if not case.by_person and not case.quick and not hurried(known):
                self._failed[self._identity(case, by_person=False)] = known
            return "failed"
        if not case.quick:
            self._passed[self._identity(case, by_person=case.by_person)] = known
        return "passed"

    def _policy(self, case: _Judgement, tree: str) -> Check:
        started = time.monotonic()
        findings: dict[Finding, None] = {}
        number = 0
        for old, new in self._steps(case, tree):
            differing = self._repo.changes(old, new)
            number = number or len(differing)
            few = len(differing) <= self._rules.change.max_files
            changes = read_changes(self._repo, differing, content=few and not case.by_person)
            paths = self._repo.entries(old).keys()
            decision = review_changes(changes, self._rules, by_person=case.by_person, existing=paths)
            findings.update(dict.fromkeys(decision.findings))
        wrong = [finding for finding in findings if finding.severity is Severity.REFUSE]
        looks = sum(finding.severity is Severity.REVIEW for finding in findings)
        summary = wrong[0].message if wrong else f"{number} {'file' if number == 1 else 'files'} may change"
        summary += f", {looks} to look at" if looks and not wrong else ""
        seconds = round(time.monotonic() - started, 3)
        return Check(
            name="policy", passed=not wrong, seconds=seconds, summary=summary, findings=tuple(findings)
        )

    def _steps(self, case: _Judgement, tree: str) -> Sequence[tuple[str, str]]:
        """What is reviewed: the merge, and head's own commits, whose content would enter the history."""
        steps = [(self._repo.tree_of(case.base), tree)]
        if not case.by_person:
            for commit in self._repo.between(case.base, case.head):
                parents = self._repo.parents(commit)
                if len(parents) == 2 and self._repo.is_ancestor(parents[1], case.base):  # noqa: PLR2004 - a merge
                    parents = parents[1:]  # of main into it: what it adds to main is what enters the history
                if parents and (parents[0], commit) != (case.base, case.head):
                    steps.append((parents[0], commit))
        return steps

    def _passed_before(self, case: _Judgement) -> tuple[Check, ...] | None:
        """A tree that has passed under the same policy has passed; a stricter pass counts for a person's too."""
        for by_person in {False, case.by_person}:
            if known := self._passed.get(self._identity(case, by_person=by_person)):
                return known
        return None

    def _known_to_fail(self, case: _Judgement) -> tuple[Check, ...] | None:
        """What failed is not tried again until chance lets it pass, nor after a restart; only what had no time is."""
        if case.by_person:
            return None
        identity = self._identity(case, by_person=False)
        told = self._failed.get(identity) or self._failed_before(*identity[:3])
        return told if told and not hurried(told) else None

    def _identity(self, case: _Judgement, *, by_person: bool) -> tuple[str, ...]:
        return (case.tree, self._rules.policy, case.sandbox.image if case.sandbox else "", str(by_person))

    async def _run(self, case: _Judgement, sandbox: Sandbox) -> tuple[Check, ...]:
        """All checks: a person's commit is judged by what it brings, by the tests that are meant for those."""
        if case.by_person:
            # Who changes the kernel is judged by the tests of the kernel; what is live, nothing of the kernel imports.
            rules = (
                _rules_of_people(self._rules) if await asyncio.to_thread(self._kernel, case) else self._rules
            )
            checks = Checks(self._repo, sandbox, rules, self._cache)
        else:
            rules, checks = self._rules, self._checks_in(sandbox)
        if not rules.gate.checks:
            raise NotJudgeable(
                "the rules ask for no check at all ([gate] checks), and nothing passes without one"
            )
        base = None if case.by_person else case.base
        assemble = checks.assembler.assemble
        before = await asyncio.to_thread(assemble, case.base, case.base)
        assembly, changed = await asyncio.gather(
            asyncio.to_thread(assemble, base or case.tree, case.tree),
            asyncio.to_thread(self._changed_python, case),
        )
        return await checks.run(Case(assembly, base, before, changed, quick=case.quick))

    def _kernel(self, case: _Judgement) -> bool:
        """Whether something changes beside the live folders."""
        changes = self._repo.changes(self._repo.tree_of(case.base), case.tree)
        return any(zone_of(change.path, self._rules.zones.live) is Zone.KERNEL for change in changes)

    def _changed_python(self, case: _Judgement) -> dict[str, bytes]:
        """Python files that the change writes, with what stood there before."""
        changes = self._repo.changes(self._repo.tree_of(case.base), case.tree)
        written = [
            change
            for change in changes
            if change.new and change.path.endswith(".py") and change.new.kind == "blob"
        ]
        blobs = self._repo.blobs(
            change.old.sha for change in written if change.old and change.old.kind == "blob"
        )
        return {change.path: blobs.get(change.old.sha, b"") if change.old else b"" for change in written}


_HURRIED = frozenset({"timed_out", "contract_timeout", "out_of_memory", change.NOT_TRIED})
"""Findings that a busy machine alone can bring about."""


def hurried(checks: Sequence[Check]) -> bool:
    """Whether nothing else is wrong than what a busy machine alone can bring about."""
    failing = [finding for check in checks if not check.passed for finding in check.findings]
    rules = {finding.rule for finding in failing if finding.severity is Severity.REFUSE}
    return bool(rules) and rules <= _HURRIED


def _rules_of_people(rules: Rules) -> Rules:
    """The same rules with the tests that people's commits have to pass."""
    return rules.model_copy(
        update={"gate": rules.gate.model_copy(update={"tests": rules.gate.tests_of_people})}
    )


def _unknown(case: _Judgement, rule: str, message: str) -> Verdict:
    case.checks.append(evidence.failed("gate", evidence.no(rule, message)))
    return "unknown"
