"""Runs the gate's checks: sends a tree and a judge into fresh sandboxes, and reads what comes back.

One sandbox only reads the code (format, lint, types, imports), one runs it (tests, trial load); beside them,
once for each base, one lists the tests that base has.
"""

import asyncio
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from policies.decision import Finding
from policies.load import Rules
from sandbox.types import Command, Limits, Sandbox
from selfedit import evidence, manifest
from selfedit.assemble import Assembly, Settings, assemble, pack
from selfedit.judge import TREE
from selfedit.repo import Repo
from selfedit.types import Check

_HERE = Path(__file__).parent
_JUDGE, _WITNESS, _CONTRACTS = (
    (_HERE / name).read_text("utf-8") for name in ("judge.py", "judge_tests.py", "judge_imports.py")
)
_START = "import sys\ni = sys.stdin.buffer\nexec(compile(i.read(int(i.readline())), 'judge', 'exec'))\n"
GRACE_SECONDS = 20.0
"""The sandbox's own time-out strikes so much later than the judge's, which can say more."""
KEPT_FILES = 64
STATIC = ("format", "lint", "types", "imports")


class Checks:
    """The checks of one repository in one sandbox."""

    def __init__(self, repo: Repo, sandbox: Sandbox, rules: Rules, cache: Path) -> None:
        self._repo = repo
        self._sandbox = sandbox
        self._rules = rules
        self._cache = cache

    async def static(self, assembly: Assembly, changed: Mapping[str, bytes]) -> list[Check]:
        """Format, lint, types and imports, as far as the rules ask for them and the repository has settings.

        Args:
            assembly: What is judged.
            changed: Python files that the change writes, with what stood there before (empty: nothing).
        """
        settings, wanted, sandbox = assembly.settings, self._rules.gate.checks, self._sandbox
        was = changed if not settings.ruff else {}
        steps = _static_steps(sandbox, assembly, changed)
        missing = {
            "types": "" if settings.mypy else "main has no settings for mypy",
            "imports": "" if settings.imports else "main has no import contracts",
        }
        steps = {name: argv for name, argv in steps.items() if name in wanted and not missing.get(name)}
        notes = [evidence.left_out(name, why) for name, why in missing.items() if why and name in wanted]
        if not steps:
            return notes
        key = _digest(sandbox.info.image, assembly.settings_key, _JUDGE)
        types = self._cache / f"types-{key}"
        kept = await asyncio.to_thread(_read, types) if "types" in steps else None
        folders: dict[str, Mapping[str, bytes]] = {
            "tree": assembly.files,
            "was": {p: old for p, old in was.items() if old},
        }
        if kept:
            folders["kept-types"] = {"": kept}
        job = {
            "kind": "static",
            "seconds": self._rules.gate.static_seconds,
            "type_cache": sandbox.type_cache,
            "steps": steps,
        }
        opened = await self._run(job, folders, "checking the code")
        if isinstance(opened, Finding):
            return [evidence.failed("static", opened), *notes]
        said = opened.report.steps
        if said.keys() != steps.keys():
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
            await asyncio.to_thread(_write, types, opened.attachment)
        return [*checks, *notes]

    async def tests(self, assembly: Assembly, base: str | None) -> list[Check]:
        """The tests, all those of `base` among them (None: a person's commit brings its own), and the trial load."""
        trial = "bot/trial.py" in assembly.files
        listing = asyncio.create_task(self._expected(base))
        try:
            opened = await self._pytest(assembly, "running the tests", trial=trial)
            expected = await listing
        finally:
            listing.cancel()  # where the first failed, the second must not run on alone
            await asyncio.gather(listing, return_exceptions=True)
        if isinstance(opened, Finding):
            return [evidence.failed("tests", opened)]
        if isinstance(expected, Finding):
            return [evidence.failed("tests", expected)]
        report = opened.report
        if not report.tests or (trial and report.trial is None):
            return [
                evidence.failed("tests", evidence.no("no_report", "the tests are missing from the report"))
            ]
        told = manifest.together(report.tests)
        left_out: Sequence[str] = ()
        if base and expected and (names := manifest.doubtful(told, expected)):
            left_out = await self._left_out(base, names)
        checks = [manifest.judge_tests(told, expected, left_out)]
        return [*checks, evidence.trial_check(report.trial)] if report.trial is not None else checks

    async def _expected(self, base: str | None) -> tuple[str, ...] | Finding | None:
        """The ids of base's tests: collected once for each base, in a sandbox."""
        if base is None:
            return None
        place = self._cache / f"tests-{await self._identity(base)}"
        if (known := await asyncio.to_thread(_read, place)) is not None:
            return tuple(json.loads(known))
        assembly = await asyncio.to_thread(assemble, self._repo, base, base, self._rules)
        opened = await self._pytest(assembly, "listing the tests that main has", collect=True)
        if isinstance(opened, Finding):
            return opened
        if not opened.report.tests:
            return evidence.no("no_report", "the list of main's tests is missing from the report")
        names = manifest.listed(opened.report.tests[0])
        if not isinstance(names, Finding):
            await asyncio.to_thread(_write, place, json.dumps(names).encode())
        return names

    async def _left_out(self, base: str, names: Sequence[str]) -> Sequence[str]:
        """Which of these tests base leaves out, too."""
        place = self._cache / f"tests-{await self._identity(base, *names)}"
        if (known := await asyncio.to_thread(_read, place)) is not None:
            return tuple(json.loads(known))
        assembly = await asyncio.to_thread(assemble, self._repo, base, base, self._rules)
        opened = await self._pytest(assembly, "running tests on main", wanted=names)
        if isinstance(opened, Finding) or not opened.report.tests:
            return ()
        ran = manifest.read(manifest.together(opened.report.tests))
        if isinstance(ran, Finding):
            return ()
        found = [name for name, outcome in ran.outcomes.items() if outcome in manifest.LEFT_OUT]
        await asyncio.to_thread(_write, place, json.dumps(found).encode())
        return found

    async def _identity(self, base: str, *more: str) -> str:
        """What the behaviour of base's tests depends on."""
        tree = await asyncio.to_thread(self._repo.tree_of, base)
        return _digest(tree, self._sandbox.info.image, self._rules.policy, _JUDGE, _WITNESS, *more)

    async def _pytest(
        self,
        assembly: Assembly,
        what: str,
        *,
        collect: bool = False,
        trial: bool = False,
        wanted: Sequence[str] | None = None,
    ) -> evidence.Opened | Finding:
        settings = assembly.settings
        plugins = [part for name in self._rules.gate.pytest_plugins for part in ("-p", name)]
        fixed = [
            "-q",
            "--no-header",
            "--color=no",
            "--tb=short",
            "--maxfail=0",
            "--continue-on-collection-errors",
        ]
        own = [
            "-c",
            settings.pytest,
            "--rootdir",
            ".",
            "-o",
            "pythonpath=",
            "-p",
            "no:cacheprovider",
            *plugins,
            *fixed,
        ]
        places = settings.tests or (".",)
        shares = assembly.shares(1 if wanted else self._rules.gate.test_processes) or [list(places)]
        job = {
            "kind": "tests",
            "seconds": self._rules.gate.test_seconds,
            "collect": collect,
            "trial": trial,
            "wanted": None if wanted is None else list(wanted),
            "witness": _WITNESS,
            "path": _paths(settings),
            "shares": [[*own, "--collect-only", *places]]
            if collect
            else [[*own, *share] for share in shares],
        }
        return await self._run(job, {"tree": assembly.files}, what)

    async def _run(
        self,
        job: Mapping[str, object],
        folders: Mapping[str, Mapping[str, bytes]],
        what: str,
    ) -> evidence.Opened | Finding:
        key = secrets.token_bytes(32)
        gate = self._rules.gate
        judge = _JUDGE.encode()
        archive = await asyncio.to_thread(pack, folders)
        order = json.dumps({**job, "key": key.hex()}).encode()
        seconds = gate.static_seconds if job["kind"] == "static" else gate.test_seconds
        limits = Limits(
            seconds=seconds + GRACE_SECONDS,
            memory_mb=gate.memory_mb,
            processes=gate.processes,
            scratch_mb=512,
            file_mb=128,
            output_bytes=64 * 1024 * 1024,
        )
        outcome = await self._sandbox.run(
            Command(
                argv=(self._sandbox.python, "-I", "-B", "-c", _START),
                stdin=b"".join((b"%d\n" % len(judge), judge, order, b"\n", archive)),
                limits=limits,
                purpose=f"gate-{job['kind']}",
            )
        )
        return evidence.open_report(outcome, key, what)


def _static_steps(sandbox: Sandbox, assembly: Assembly, changed: Mapping[str, bytes]) -> dict[str, list[str]]:
    settings, python = assembly.settings, sandbox.python
    ruff = f"{python.rpartition('/')[0]}/ruff"
    # What changed is named beside the whole, because a tool's own list of exclusions does not hold for that.
    named = [f"./{path}" for path in changed]
    own = ["--config", settings.ruff, "--no-cache", "--no-respect-gitignore", ".", *named]
    before = [f"../was/{path}" for path, old in changed.items() if old]
    bare = ["--isolated", "--no-cache", *named, *before]
    steps: dict[str, list[str]] = {}
    if settings.ruff or named:
        arguments = own if settings.ruff else bare
        steps["format"] = [ruff, "format", "--check", "--output-format", "concise", *arguments]
        steps["lint"] = [ruff, "check", "--output-format", "json", *arguments]
    quiet = ["--no-error-summary", "--no-color-output", "--no-pretty", "--hide-error-context"]
    cache = ["--cache-dir", "../types"]
    mypy = [python, "-I", "-m", "mypy", "-O", "json", "--config-file", settings.mypy, *cache, *quiet]
    steps["types"] = [*mypy, *settings.types_on]
    steps["imports"] = [python, "-I", "-B", "-c", _CONTRACTS, settings.imports, *_paths(settings)]
    return steps


def _paths(settings: Settings) -> list[str]:
    """Where modules are looked for, inside."""
    return [str(TREE / folder) for folder in settings.path]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    os.utime(path)
    return data


def _write(path: Path, data: bytes) -> None:
    """Keep something for later, whole or not at all; what was not asked for in a long time goes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
    kept = sorted(path.parent.glob("t[ey][ps][te]s-*"), key=lambda each: each.stat().st_mtime)
    for old in kept[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
