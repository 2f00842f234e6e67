"""Format, lint, types and imports: a sandbox that only reads the code, and nothing that a candidate could touch."""

import asyncio
import json
from collections.abc import Callable, Mapping

from policies.decision import Finding
from policies.load import GateRules
from sandbox.types import Sandbox
from selfedit.gate import evidence
from selfedit.gate.assemble import Assembly, Settings
from selfedit.gate.cache import Cache, digest
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import JUDGE, START, Opening, Order, bundle
from selfedit.types import Check

NAMES = ("format", "lint", "types", "imports")
PURPOSE = "static"


class CodeChecks:
    """The checks that read."""

    def __init__(self, ready: Readiness, gate: GateRules, cache: Cache) -> None:
        self._ready = ready
        self._gate = gate
        self._cache = cache
        self._wanted = [name for name in NAMES if name in gate.checks]

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""
        if self._wanted and not self._ready.has(PURPOSE):
            await self._ready.start(base, assembly, await self._opening(assembly, ahead=True))

    async def run(self, case: Case) -> list[Check]:
        """Read the code, as far as the rules ask for it and the repository has settings."""
        settings = case.assembly.settings
        missing = {
            "types": "" if settings.mypy else "main has no settings for mypy",
            "imports": "" if settings.imports else "main has no import contracts",
        }
        notes = [
            evidence.left_out(name, why) for name, why in missing.items() if why and name in self._wanted
        ]
        changes = touched(case)
        alone = bool(changes.get("written")) and not changes["removed"]
        programs = _ruff(self._ready.sandbox, settings, case.changed, alone=alone)
        programs = {name: argv for name, argv in programs.items() if name in self._wanted}
        opening = await self._opening(case.assembly, ahead=False)
        lines = dict.fromkeys(opening.servants, "") | {"types": json.dumps(changes)}
        lines = {name: line for name, line in lines.items() if name in opening.servants}
        steps = programs.keys() | lines.keys()
        if not steps:
            return notes
        was = {path: old for path, old in case.changed.items() if old and not settings.ruff}
        order = Order(folders={"was": was}, lines=lines, programs=programs)
        opened = await self._ready.judge(case, opening, order, "checking the code")
        if isinstance(opened, Finding):
            return [evidence.failed(PURPOSE, opened), *notes]
        said = opened.report.steps
        if said.keys() != steps:
            missing_one = evidence.no("no_report", "a check is missing from the report")
            return [evidence.failed(PURPOSE, missing_one), *notes]
        only = None if settings.ruff else case.changed.keys()
        read: dict[str, Callable[[evidence.Step], Check]] = {
            "format": lambda step: evidence.format_check(step, only),
            "lint": lambda step: evidence.lint_check(step, only),
            "types": evidence.types_check,
            "imports": lambda step: evidence.imports_check(step, case.assembly.files),
        }
        checks = [read[name](said[name]) for name in NAMES if name in said]
        if opened.attachment and all(check.passed for check in checks if check.name == "types"):
            await asyncio.to_thread(self._cache.write, self._types(case.assembly), opened.attachment)
        return [*checks, *notes]

    async def _opening(self, assembly: Assembly, *, ahead: bool) -> Opening:
        kept = None
        typed = bool(assembly.settings.mypy) and "types" in self._wanted
        if typed:
            kept = await asyncio.to_thread(self._cache.read, self._types(assembly))
        servants = _servants(self._ready.sandbox, assembly.settings, ahead=ahead)
        folders: dict[str, Mapping[str, bytes]] = {TREE.name: assembly.files}
        if kept:
            folders["kept-types"] = {"": kept}
        return Opening(
            purpose=PURPOSE,
            seconds=self._gate.static_seconds,
            folders=folders,
            servants={name: argv for name, argv in servants.items() if name in self._wanted},
            type_cache=self._ready.sandbox.type_cache if typed else None,
            learns=not ahead and not kept,
        )

    def _types(self, assembly: Assembly) -> str:
        return f"types-{digest(self._ready.sandbox.info.image, assembly.settings_key, JUDGE)}"


def _ruff(
    sandbox: Sandbox, settings: Settings, changed: Mapping[str, bytes], *, alone: bool
) -> dict[str, list[str]]:
    """What is started when the candidate is there; `alone`: nothing but what changed has to be looked at.

    These tools look at one file at a time, and at which files there are.
    """
    ruff = f"{sandbox.python.rpartition('/')[0]}/ruff"
    # What changed is named beside the whole, because a tool's own list of exclusions does not hold for that.
    named = [f"./{path}" for path in changed]
    before = [f"../was/{path}" for path, old in changed.items() if old]
    if settings.ruff:
        whole = [] if alone and named else ["."]
        arguments = ["--config", settings.ruff, "--no-cache", "--no-respect-gitignore", *whole, *named]
    elif named:
        arguments = ["--isolated", "--no-cache", *named, *before]
    else:
        return {}
    return {
        "format": [ruff, "format", "--check", "--output-format", "concise", *arguments],
        "lint": [ruff, "check", "--output-format", "json", *arguments],
    }


def touched(case: Case) -> dict[str, list[str]]:
    """The Python files that a proposal writes and takes away; nothing where that does not tell what it may spoil."""
    if case.base is None:
        return {}
    before, after = case.base_assembly.files, case.assembly.files
    written = [path for path, data in after.items() if before.get(path) != data]
    removed = sorted(before.keys() - after.keys())
    for path in (*written, *removed):
        folder, _, file = path.rpartition("/")
        # A stub, or a module and a package of one name: which of them an import finds is for the type checker to say.
        twin = f"{folder}.py" if file == "__init__.py" else f"{path.removesuffix('.py')}/__init__.py"
        if path.endswith(".pyi") or file == "py.typed" or (path.endswith(".py") and twin in after):
            return {}
    python = [[path for path in paths if path.endswith(".py")] for paths in (written, removed)]
    return {"written": python[0], "removed": python[1]}


def _servants(sandbox: Sandbox, settings: Settings, *, ahead: bool) -> dict[str, list[str]]:
    """What is started before, and waits; where the repository has settings for it."""
    python = [sandbox.python, "-I", "-B", "-c"]
    quiet = ["--no-error-summary", "--no-color-output", "--no-pretty", "--hide-error-context"]
    mypy = ["-O", "json", "--config-file", settings.mypy, "--cache-dir", "../types", *quiet]
    types = (mypy, settings.types_on, sandbox.type_cache if ahead else None)
    servants = {
        "types": [*python, START, *map(json.dumps, types), bundle("trees", "typecache", "types")],
        "imports": [
            *python,
            START,
            settings.imports,
            "yes" if ahead else "no",
            *settings.inside(),
            bundle("ourselves", "imports"),
        ],
    }
    held = {"types": settings.mypy, "imports": settings.imports}
    return {name: argv for name, argv in servants.items() if held[name]}
