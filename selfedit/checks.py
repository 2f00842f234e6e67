"""Runs the gate's checks: each kind in a sandbox of its own, which may have been started before it was needed.

One sandbox only reads the code (format, lint, types, imports), one runs its tests, one loads it; beside them,
once for each base, one lists the tests that base has. What is started ahead holds base's tree, a type checker
that has read it, and test runners that have imported what a proposal cannot change.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.decision import Finding
from policies.load import Rules
from policies.zones import Zone, zone_of
from sandbox.types import Sandbox
from selfedit import evidence, manifest
from selfedit.assemble import Assembly, assemble
from selfedit.cache import Cache
from selfedit.inside.trees import TREE
from selfedit.judging import JUDGE, Judging, Opening, Order, difference
from selfedit.programs import (
    STATIC,
    TRIAL,
    collecting,
    program_steps,
    servants_of_code,
    shares_of_tests,
    witness_argv,
)
from selfedit.repo import Repo
from selfedit.types import Check


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A judge that got ready for heads on one base."""

    base: str
    assembly: Assembly
    judging: Judging


@dataclass(frozen=True, slots=True)
class _Listed:
    """What base's tests are, and the kernel's modules that they need."""

    tests: tuple[str, ...]
    modules: tuple[str, ...]


class Checks:
    """The checks of one repository in one sandbox."""

    def __init__(self, repo: Repo, sandbox: Sandbox, rules: Rules, cache: Path) -> None:
        self._repo = repo
        self.sandbox = sandbox
        self._rules = rules
        self._cache = Cache(cache)
        self._waiting: dict[str, _Waiting] = {}

    # Getting ready

    async def prepare(self, base: str) -> None:
        """Start judges for the next head on a base; those for another base are given up.

        Raises:
            SandboxUnavailable: There is no sandbox.
            GitFailed: An object cannot be read.
            NotJudgeable: The repository lacks what judging it needs.
        """
        for kind, waiting in list(self._waiting.items()):
            if waiting.base != base or not waiting.judging.alive:
                await self._waiting.pop(kind).judging.drop()
        wanted = self._rules.gate.checks
        assembly = await asyncio.to_thread(assemble, self._repo, base, base, self._rules)
        if set(STATIC) & set(wanted) and "static" not in self._waiting:
            await self._ready("static", base, assembly, await self._opening_static(assembly, base))
        if "tests" not in wanted:
            return
        if TRIAL in assembly.files and "trial" not in self._waiting:
            await self._ready("trial", base, assembly, self._opening_trial(assembly))
        listed = await self._expected(base)
        if isinstance(listed, _Listed) and "tests" not in self._waiting:
            await self._ready("tests", base, assembly, self._opening_tests(assembly, listed.modules))

    async def drop(self) -> None:
        """Give up all judges that wait."""
        while self._waiting:
            await self._waiting.popitem()[1].judging.drop()

    async def _ready(self, kind: str, base: str, assembly: Assembly, opening: Opening) -> None:
        gate = self._rules.gate
        judging = await Judging.start(self.sandbox, opening, gate, wait_seconds=gate.wait_seconds)
        if before := self._waiting.pop(kind, None):
            await before.judging.drop()
        self._waiting[kind] = _Waiting(base, assembly, judging)

    async def _judge(
        self, opening: Opening, assembly: Assembly, base: str | None, order: Order, what: str
    ) -> evidence.Opened | Finding:
        """Use the judge that waits for heads on this base, or start one now."""
        waiting = self._waiting.pop(opening.purpose, None)
        if waiting is not None and (waiting.base != base or not waiting.judging.alive):
            await waiting.judging.drop()
            waiting = None
        if waiting is None:
            judging = await Judging.start(self.sandbox, opening, self._rules.gate)
            return await judging.finish(order, what)
        written, removed = difference(waiting.assembly.files, assembly.files, TREE.name)
        changed = Order(
            folders={**order.folders, TREE.name: written},
            removed=removed,
            lines=order.lines,
            programs=order.programs,
            shares=order.shares,
            alone=order.alone,
        )
        return await waiting.judging.finish(changed, what)

    # Reading the code

    async def static(self, assembly: Assembly, changed: Mapping[str, bytes], base: str | None) -> list[Check]:
        """Format, lint, types and imports, as far as the rules ask for them and the repository has settings.

        Args:
            assembly: What is judged.
            changed: Python files that the change writes, with what stood there before (empty: nothing).
            base: The commit whose settings and kernel these are; None: a person's commit brings its own.
        """
        settings, wanted = assembly.settings, self._rules.gate.checks
        was = {path: old for path, old in changed.items() if old and not settings.ruff}
        missing = {
            "types": "" if settings.mypy else "main has no settings for mypy",
            "imports": "" if settings.imports else "main has no import contracts",
        }
        notes = [evidence.left_out(name, why) for name, why in missing.items() if why and name in wanted]
        programs = program_steps(self.sandbox, settings, changed)
        programs = {name: argv for name, argv in programs.items() if name in wanted}
        opening = await self._opening_static(assembly, None)
        lines = dict.fromkeys(opening.servants, "")
        steps = programs.keys() | lines.keys()
        if not steps:
            return notes
        order = Order(folders={"was": was}, lines=lines, programs=programs)
        opened = await self._judge(opening, assembly, base, order, "checking the code")
        if isinstance(opened, Finding):
            return [evidence.failed("static", opened), *notes]
        said = opened.report.steps
        if said.keys() != steps:
            return [
                evidence.failed("static", evidence.no("no_report", "a check is missing from the report")),
                *notes,
            ]
        only = None if settings.ruff else changed.keys()
        read: dict[str, Callable[[evidence.Step], Check]] = {
            "format": lambda step: evidence.format_check(step, only),
            "lint": lambda step: evidence.lint_check(step, only),
            "types": evidence.types_check,
            "imports": lambda step: evidence.imports_check(step, assembly.files),
        }
        checks = [read[name](said[name]) for name in STATIC if name in said]
        if opened.attachment and all(check.passed for check in checks):
            kept = _content(assembly).encode() + opened.attachment
            await asyncio.to_thread(self._cache.write, self._types(assembly), kept)
        return [*checks, *notes]

    async def _opening_static(self, assembly: Assembly, ahead_of: str | None) -> Opening:
        """What the sandbox that reads the code begins with; `ahead_of`: before there is a head on that base."""
        wanted = self._rules.gate.checks
        kept = None
        if assembly.settings.mypy and "types" in wanted:
            kept = await asyncio.to_thread(self._cache.read, self._types(assembly))
        content = _content(assembly).encode()
        warm = ahead_of is not None and (kept is None or not kept.startswith(content))
        servants = servants_of_code(self.sandbox, assembly.settings, warm=warm)
        folders: dict[str, Mapping[str, bytes]] = {TREE.name: assembly.files}
        if kept:
            folders["kept-types"] = {"": kept[len(content) :]}
        return Opening(
            purpose="static",
            seconds=self._rules.gate.static_seconds,
            folders=folders,
            servants={name: argv for name, argv in servants.items() if name in wanted},
            type_cache=self.sandbox.type_cache if "types" in servants and "types" in wanted else None,
        )

    def _types(self, assembly: Assembly) -> str:
        return f"types-{_digest(self.sandbox.info.image, assembly.settings_key, JUDGE)}"

    # Running it

    async def tests(self, assembly: Assembly, base: str | None) -> list[Check]:
        """The tests, all those of `base` among them (None: a person's commit brings its own)."""
        opening = self._opening_tests(assembly, ())
        order = Order(shares=shares_of_tests(assembly, self._rules.gate))
        listing = asyncio.create_task(self._expected(base))
        try:
            opened = await self._judge(opening, assembly, base, order, "running the tests")
            expected = await listing
        finally:
            listing.cancel()  # where the first failed, the second must not run on alone
            await asyncio.gather(listing, return_exceptions=True)
        for said in (opened, expected):
            if isinstance(said, Finding):
                return [evidence.failed("tests", said)]
        assert isinstance(opened, evidence.Opened)  # noqa: S101 - for the type checker
        assert not isinstance(expected, Finding)  # noqa: S101 - the same
        if not opened.report.tests:
            missing = evidence.no("no_report", "the tests are missing from the report")
            return [evidence.failed("tests", missing)]
        told = manifest.together(opened.report.tests)
        ids = None if expected is None else expected.tests
        left_out: Sequence[str] = ()
        if base and ids and (names := manifest.doubtful(told, ids)):
            left_out = await self._left_out(base, names)
        return [manifest.judge_tests(told, ids, left_out)]

    async def trial(self, assembly: Assembly, base: str | None) -> list[Check]:
        """The trial load, in a sandbox in which nothing else ran; nothing where the repository has none."""
        if TRIAL not in assembly.files:
            return []
        order = Order(lines={"trial": ""}, alone=True)
        opening = self._opening_trial(assembly)
        opened = await self._judge(opening, assembly, base, order, "loading the live code")
        if isinstance(opened, Finding):
            return [evidence.failed("trial", opened)]
        step = opened.report.steps.get("trial")
        if step is None:
            missing = evidence.no("no_report", "the trial load is missing from the report")
            return [evidence.failed("trial", missing)]
        return [evidence.trial_check(step)]

    def _opening_tests(self, assembly: Assembly, modules: Sequence[str]) -> Opening:
        gate = self._rules.gate
        argv = witness_argv(self.sandbox, assembly.settings, modules)
        number = len(shares_of_tests(assembly, gate))
        return Opening(
            purpose="tests",
            seconds=gate.test_seconds,
            folders={TREE.name: assembly.files},
            witnesses=[argv] * number,
        )

    def _opening_trial(self, assembly: Assembly) -> Opening:
        program = (
            f"import sys\nsys.path.append({str(TREE)!r})\nfrom bot.trial import main\n"
            f"sys.stdin.readline()\nsys.exit(main({str(TREE)!r}))\n"
        )
        return Opening(
            purpose="trial",
            seconds=self._rules.gate.trial_seconds,
            folders={TREE.name: assembly.files},
            servants={"trial": [self.sandbox.python, "-I", "-B", "-c", program]},
        )

    async def _expected(self, base: str | None) -> _Listed | Finding | None:
        """The ids of base's tests: collected once for each base, in a sandbox."""
        if base is None:
            return None
        place = f"tests-{await self._identity(base)}"
        if (known := await asyncio.to_thread(self._cache.read, place)) is not None:
            tests, modules = json.loads(known)
            return _Listed(tuple(tests), tuple(modules))
        assembly = await asyncio.to_thread(assemble, self._repo, base, base, self._rules)
        opening = self._opening_tests(assembly, ())
        opened = await self._fresh(opening, collecting(assembly, self._rules.gate), "listing main's tests")
        if isinstance(opened, Finding):
            return opened
        if not opened.report.tests:
            return evidence.no("no_report", "the list of main's tests is missing from the report")
        names = manifest.listed(opened.report.tests[0])
        if isinstance(names, Finding):
            return names
        modules = self._preloaded(assembly, manifest.modules(opened.report.tests[0]))
        await asyncio.to_thread(self._cache.write, place, json.dumps([names, modules]).encode())
        return _Listed(names, tuple(modules))

    async def _left_out(self, base: str, names: Sequence[str]) -> Sequence[str]:
        """Which of these tests base leaves out, too."""
        place = f"tests-{await self._identity(base, *names)}"
        if (known := await asyncio.to_thread(self._cache.read, place)) is not None:
            return tuple(json.loads(known))
        assembly = await asyncio.to_thread(assemble, self._repo, base, base, self._rules)
        share = shares_of_tests(assembly, self._rules.gate, wanted=names)
        opened = await self._fresh(self._opening_tests(assembly, ()), share, "running tests on main")
        if isinstance(opened, Finding) or not opened.report.tests:
            return ()
        ran = manifest.read(manifest.together(opened.report.tests))
        if isinstance(ran, Finding):
            return ()
        found = [name for name, outcome in ran.outcomes.items() if outcome in manifest.LEFT_OUT]
        await asyncio.to_thread(self._cache.write, place, json.dumps(found).encode())
        return found

    async def _fresh(
        self, opening: Opening, shares: Sequence[Mapping[str, object]], what: str
    ) -> evidence.Opened | Finding:
        judging = await Judging.start(self.sandbox, opening, self._rules.gate)
        return await judging.finish(Order(shares=shares), what)

    def _preloaded(self, assembly: Assembly, modules: Mapping[str, str]) -> list[str]:
        """Which modules a witness may import before there is a candidate: the kernel's, and of packages the tops."""
        plugins = {name.partition(".")[0] for name in self._rules.gate.pytest_plugins}
        tests = tuple(f"{place.partition('/')[0]}/" for place in assembly.settings.tests) or ("tests/",)
        found = []
        for name, file in modules.items():
            path = file.removeprefix(f"{TREE}/")
            if path == file:
                chosen = "site-packages" in file and "." not in name and name not in plugins
            else:
                kernel = zone_of(path, self._rules.zones.live) is Zone.KERNEL
                chosen = kernel and not path.startswith(tests)
            if chosen:
                found.append(name)
        return sorted(found)

    async def _identity(self, base: str, *more: str) -> str:
        """What the behaviour of base's tests depends on."""
        tree = await asyncio.to_thread(self._repo.tree_of, base)
        return _digest(tree, self.sandbox.info.image, self._rules.policy, JUDGE, *more)


def _content(assembly: Assembly) -> str:
    """A fixed number of letters that tell one set of files from another."""
    digest = hashlib.sha256()
    for path, data in assembly.files.items():
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
