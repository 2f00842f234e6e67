"""The tests: a sandbox in which they run, under witnesses that import nothing of a candidate before it is there.

Beside it, once for each base, one lists the tests that base has, and the kernel's modules that they need.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace

from policies.decision import Finding
from policies.load import Rules
from policies.zones import Zone, zone_of
from selfedit.gate import evidence, manifest
from selfedit.gate.apart import apart
from selfedit.gate.assemble import Assembly, NotJudgeable
from selfedit.gate.cache import Cache, digest
from selfedit.gate.changed import felt_in
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.dealing import Lasted, best, deal
from selfedit.gate.evidence import Opened, Told
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import JUDGE, START, Opening, Order, bundle
from selfedit.types import Check

NAME = "tests"
_PARTS = ("ourselves", "warm", "witness")


@dataclass(frozen=True, slots=True)
class Listed:
    """What base's tests are, and the kernel's modules that they need."""

    tests: tuple[str, ...]
    modules: tuple[str, ...]


class TestChecks:
    """The tests, all those of base among them."""

    __test__ = False

    def __init__(self, ready: Readiness, rules: Rules, cache: Cache) -> None:
        self._ready = ready
        self._rules = rules
        self._gate = rules.gate
        self._cache = cache

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""
        listed = await self.listed(base, assembly)
        if isinstance(listed, Listed) and not self._ready.has(NAME):
            await self._ready.start(base, assembly, self._opening(assembly, listed))

    async def run(self, case: Case) -> list[Check]:
        """Run them, and compare with what base has."""
        places = case.assembly.settings.tests or (".",)
        if case.quick:
            places = await asyncio.to_thread(self._quick, case) or places
        both = None
        if case.base and not case.quick:
            both = await asyncio.to_thread(apart, case.assembly, case.base_assembly, self._rules.zones.tests)
        judged = case if both is None else replace(case, assembly=both.mains)
        lasted = await asyncio.to_thread(self._lasted)
        runs: list[Awaitable[Opened | Finding]] = [self._waiting(judged, places, lasted)]
        if both is not None:
            runs.append(self._fresh(case.assembly, both.own, lasted))
        tasks = [asyncio.ensure_future(each) for each in runs]
        listing = asyncio.ensure_future(self.listed(case.base, case.base_assembly))
        try:
            found = await asyncio.gather(*tasks)
            expected = await listing
        finally:
            for task in (*tasks, listing):  # where one failed, the others must not run on alone
                task.cancel()
            await asyncio.gather(*tasks, listing, return_exceptions=True)
        told: list[Told] = []
        for each in found:
            if isinstance(each, Finding):
                return [evidence.failed(NAME, each)]
            if not each.report.tests:
                missing = evidence.no("no_report", "the tests are missing from the report")
                return [evidence.failed(NAME, missing)]
            told.append(manifest.together(each.report.tests))
        if isinstance(expected, Finding):
            # Nothing of the candidate is in there, so it says nothing about the candidate.
            raise NotJudgeable(f"main's own tests could not be listed: {expected.message}")
        ids = None if expected is None else _within(expected.tests, places)
        left_out: Sequence[str] = ()
        names = tuple(dict.fromkeys(name for each in told for name in manifest.doubtful(each, ids or ())))
        if case.base and names:
            left_out = await self._left_out(case.base, case.base_assembly, names)
        if both is None or ids is None:
            check = manifest.judge_tests(told[0], ids, left_out)
        else:
            own = _within(ids, [*both.own, *both.rewritten])
            check = manifest.judge_apart(
                told[0],
                told[1],
                expected=ids,
                rewritten=both.rewritten,
                own_expected=own,
                left_out_on_base=left_out,
            )
        await asyncio.to_thread(self._remember, case.assembly, check, told, lasted)
        return [check]

    @property
    def _lasted_place(self) -> str:
        return f"lasted-{digest(self._ready.sandbox.info.image, self._rules.policy)}"

    def _lasted(self) -> dict[str, Lasted]:
        """How long files of tests took when they passed, as far as that is known."""
        try:
            known = json.loads(self._cache.read(self._lasted_place) or b"{}")
            return {str(path): Lasted(float(seconds), float(idle)) for path, (seconds, idle) in known.items()}
        except (ValueError, TypeError, AttributeError):  # a damaged file costs time, nothing else
            return {}

    def _remember(
        self, assembly: Assembly, check: Check, told: Sequence[Told], lasted: Mapping[str, Lasted]
    ) -> None:
        """Keep how long they took; their names come from where code under test runs, so only of files that there are."""
        took = {path: lasting for each in told for path, lasting in manifest.lasted(each).items()}
        if check.passed and took:
            kept = best(lasted, took, assembly.files.keys())
            with contextlib.suppress(OSError):
                self._cache.write(self._lasted_place, json.dumps(kept).encode())

    def _quick(self, case: Case) -> tuple[str, ...]:
        """Where the change can be felt, among what an author has to hear of soon; all that where nobody can tell."""
        before, after = case.base_assembly.files, case.assembly.files
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        quick = tuple(place for place in self._gate.quick_tests if place in case.assembly.settings.tests)
        felt = felt_in(changed, after, self._rules.zones)
        return _within(felt, quick) or quick

    async def _waiting(
        self, case: Case, places: Sequence[str], lasted: Mapping[str, Lasted]
    ) -> Opened | Finding:
        """Run tests of a candidate in the sandbox that waits for it."""
        order = self._order(case.assembly, places, lasted)
        return await self._ready.judge(case, self._opening(case.assembly), order, "running the tests")

    async def _fresh(
        self, assembly: Assembly, places: Sequence[str], lasted: Mapping[str, Lasted]
    ) -> Opened | Finding:
        """Run tests in a sandbox of their own."""
        order = self._order(assembly, places, lasted)
        opening = self._opening(assembly, many=len(order.shares))
        return await self._ready.fresh(opening, order, "running the change's own tests")

    def _opening(
        self, assembly: Assembly, listed: Listed | None = None, *, many: int | None = None
    ) -> Opening:
        ready = {"path": assembly.settings.inside(), "ahead": self.ahead(assembly, listed)}
        argv = [self._ready.sandbox.python, "-I", "-B", "-c", START, json.dumps(ready), bundle(*_PARTS)]
        return Opening(
            purpose=NAME,
            seconds=self._gate.test_seconds,
            folders={TREE.name: assembly.files},
            witnesses=[argv] * (many or max(1, self._gate.test_processes)),
        )

    def ahead(self, assembly: Assembly, listed: Listed | None) -> dict[str, object] | None:
        """What who will run tests can do before there is a candidate, as `warm.get_ready` takes it; None: nothing."""
        if listed is None:
            return None
        plugins = list(self._gate.pytest_plugins)
        return {"modules": list(listed.modules), "plugins": plugins, "tests": list(assembly.settings.tests)}

    async def listed(self, base: str | None, assembly: Assembly) -> Listed | Finding | None:
        """What base's tests are: collected once for each base, in a sandbox."""
        if base is None:
            return None
        place = f"tests-{self._identity(base)}"
        if (known := await asyncio.to_thread(self._cache.read, place)) is not None:
            tests, modules = json.loads(known)
            return Listed(tuple(tests), tuple(modules))
        places = assembly.settings.tests or (".",)
        share = self._share(assembly, ["--collect-only", *places], collect=True)
        opened = await self._ready.fresh(
            self._opening(assembly, many=1), Order(shares=[share]), "listing the tests that main has"
        )
        if isinstance(opened, Finding):
            return opened
        if not opened.report.tests:
            return evidence.no("no_report", "the list of main's tests is missing from the report")
        names = manifest.listed(opened.report.tests[0])
        if isinstance(names, Finding):
            return names
        modules = self._preloaded(assembly, manifest.modules(opened.report.tests[0]))
        await asyncio.to_thread(self._cache.write, place, json.dumps([names, modules]).encode())
        return Listed(names, tuple(modules))

    async def _left_out(self, base: str, assembly: Assembly, names: Sequence[str]) -> Sequence[str]:
        """Which of these tests base leaves out, too."""
        place = f"tests-{self._identity(base, *names)}"
        if (known := await asyncio.to_thread(self._cache.read, place)) is not None:
            return tuple(json.loads(known))
        share = self._share(assembly, assembly.settings.tests or (".",), wanted=names)
        opened = await self._ready.fresh(
            self._opening(assembly, many=1), Order(shares=[share]), "running tests on main"
        )
        if isinstance(opened, Finding) or not opened.report.tests:
            return ()
        ran = manifest.read(manifest.together(opened.report.tests))
        if isinstance(ran, Finding):
            return ()
        found = [name for name, outcome in ran.outcomes.items() if outcome in manifest.LEFT_OUT]
        await asyncio.to_thread(self._cache.write, place, json.dumps(found).encode())
        return found

    def _preloaded(self, assembly: Assembly, modules: Mapping[str, str]) -> list[str]:
        """Which modules a witness may import before there is a candidate: the kernel's, and of packages the public ones."""
        plugins = {name.partition(".")[0] for name in self._gate.pytest_plugins}
        tests = tuple(f"{place.partition('/')[0]}/" for place in assembly.settings.tests) or ("tests/",)
        found = []
        for name, file in modules.items():
            path = file.removeprefix(f"{TREE}/")
            if path == file:
                top, _, below = name.partition(".")
                public = "." not in below and not below.startswith("_")
                chosen = "site-packages" in file and public and top not in plugins
            else:
                kernel = zone_of(path, self._rules.zones.live) is Zone.KERNEL
                chosen = kernel and not path.startswith(tests)
            if chosen:
                found.append(name)
        return sorted(found)

    def _order(self, assembly: Assembly, places: Sequence[str], lasted: Mapping[str, Lasted]) -> Order:
        """To run the tests in these places, dealt out to the witnesses."""
        dealt, pool = deal(assembly, self._gate.test_processes, places, lasted)
        shares = [self._share(assembly, share, pool=pool) for share in dealt or [list(places)]]
        return Order(shares=shares, pool=len(pool))

    def _share(
        self,
        assembly: Assembly,
        places: Sequence[str],
        *,
        pool: Sequence[str] = (),
        collect: bool = False,
        wanted: Sequence[str] | None = None,
    ) -> dict[str, object]:
        return {
            "arguments": [*pytest_arguments(assembly, self._gate.pytest_plugins), *places, *pool],
            "pool": list(pool),
            "collect": collect,
            "wanted": None if wanted is None else list(wanted),
        }

    def _identity(self, base: str, *more: str) -> str:
        """What the behaviour of base's tests depends on."""
        return digest(base, self._ready.sandbox.info.image, self._rules.policy, JUDGE, *more)


def pytest_arguments(assembly: Assembly, plugins: Sequence[str]) -> list[str]:
    """What pytest is told, before which tests: base's settings, and nothing that it finds by itself."""
    named = [part for name in plugins for part in ("-p", name)]
    where = ["-c", assembly.settings.pytest, "--rootdir", ".", "-o", "pythonpath="]
    how = ["-q", "--no-header", "--color=no", "--tb=short", "--maxfail=0", "--continue-on-collection-errors"]
    return [*where, "-p", "no:cacheprovider", *named, *how]


def _within(ids: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
    """Those ids whose file is one of the places or below it."""
    if "." in places:
        return tuple(ids)
    below = tuple(place if place.endswith(".py") else f"{place}/" for place in places)
    return tuple(name for name in ids if name.partition("::")[0].startswith(below))
