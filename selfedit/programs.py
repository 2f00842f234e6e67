"""The programs that run inside the sandbox, as command lines: which tool, with base's settings, on what."""

import json
from collections.abc import Mapping, Sequence

from policies.load import GateRules
from sandbox.types import Sandbox
from selfedit.assemble import Assembly, Settings
from selfedit.inside.trees import TREE
from selfedit.judging import inside

STATIC = ("format", "lint", "types", "imports")
TRIAL = "bot/trial.py"
"""A repository that has this file can try its live code out."""


def program_steps(sandbox: Sandbox, settings: Settings, changed: Mapping[str, bytes]) -> dict[str, list[str]]:
    """What is started when the candidate is there: format and lint."""
    ruff = f"{sandbox.python.rpartition('/')[0]}/ruff"
    # What changed is named beside the whole, because a tool's own list of exclusions does not hold for that.
    named = [f"./{path}" for path in changed]
    before = [f"../was/{path}" for path, old in changed.items() if old]
    if settings.ruff:
        arguments = ["--config", settings.ruff, "--no-cache", "--no-respect-gitignore", ".", *named]
    elif named:
        arguments = ["--isolated", "--no-cache", *named, *before]
    else:
        return {}
    return {
        "format": [ruff, "format", "--check", "--output-format", "concise", *arguments],
        "lint": [ruff, "check", "--output-format", "json", *arguments],
    }


def servants_of_code(sandbox: Sandbox, settings: Settings, *, warm: bool) -> dict[str, list[str]]:
    """What is started before, and waits: types and import contracts, where the repository has settings for them."""
    python = [sandbox.python, "-I", "-B", "-c"]
    quiet = ["--no-error-summary", "--no-color-output", "--no-pretty", "--hide-error-context"]
    mypy = ["-O", "json", "--config-file", settings.mypy, "--cache-dir", "../types", *quiet]
    servants = {
        "types": [*python, inside("types"), json.dumps([*mypy, *settings.types_on]), json.dumps(warm)],
        "imports": [*python, inside("imports"), settings.imports, *_paths(settings)],
    }
    held = {"types": settings.mypy, "imports": settings.imports}
    return {name: argv for name, argv in servants.items() if held[name]}


def witness_argv(sandbox: Sandbox, settings: Settings, modules: Sequence[str]) -> list[str]:
    """A witness that imports these modules and then waits."""
    named = [json.dumps(_paths(settings)), json.dumps(list(modules))]
    return [sandbox.python, "-I", "-B", "-c", inside("witness"), *named]


def shares_of_tests(
    assembly: Assembly, gate: GateRules, wanted: Sequence[str] | None = None
) -> list[dict[str, object]]:
    """What each witness is to run: all tests, dealt out; or those that are wanted, by one."""
    places = list(assembly.settings.tests or (".",))
    shares = assembly.shares(1 if wanted is not None else gate.test_processes) or [places]
    return [_share(assembly, gate, share, wanted=wanted) for share in shares]


def collecting(assembly: Assembly, gate: GateRules) -> list[dict[str, object]]:
    """Only list the tests, all by one witness."""
    places = assembly.settings.tests or (".",)
    return [_share(assembly, gate, ["--collect-only", *places], collect=True)]


def _share(
    assembly: Assembly,
    gate: GateRules,
    places: Sequence[str],
    *,
    collect: bool = False,
    wanted: Sequence[str] | None = None,
) -> dict[str, object]:
    plugins = [part for name in gate.pytest_plugins for part in ("-p", name)]
    where = ["-c", assembly.settings.pytest, "--rootdir", ".", "-o", "pythonpath="]
    how = ["-q", "--no-header", "--color=no", "--tb=short", "--maxfail=0", "--continue-on-collection-errors"]
    return {
        "arguments": [*where, "-p", "no:cacheprovider", *plugins, *how, *places],
        "collect": collect,
        "wanted": None if wanted is None else list(wanted),
    }


def _paths(settings: Settings) -> list[str]:
    """Where modules are looked for, inside."""
    return [str(TREE / folder) for folder in settings.path]
