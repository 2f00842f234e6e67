"""An author over a model that says what a test tells it, and a bench whose gate does as well."""

from collections.abc import Sequence
from typing import Any

from agent.author.author import ModelAuthor
from agent.ports import ModelProvider
from policies.decision import Finding
from policies.load import AuthorRules
from selfedit.editing.edits import Edit
from selfedit.types import Check, Draft, GateReport, NoDraft, Plan, Request
from tests.fakes.scripted import Turn, Use

PATH = "bot/live/greet/feature.py"
FILES = {
    PATH: '"""Greets."""\n\nWORD = "hello"\n\n\ndef greet(name: str) -> str:\n    """Greet."""\n    return WORD + name\n',
    "tests/live/test_greet.py": '"""Tests."""\n',
}
RULES = AuthorRules(rounds=3, steps=12, max_tokens=200_000, max_dollars=2.0)
REQUEST = Request(requested_by="console:operator", goal="Greet with a comma.")
GOOD = {
    "op": "replace_function",
    "path": PATH,
    "target": "greet",
    "source": 'def greet(name: str) -> str:\n    """Greet."""\n    return f"{WORD}, {name}"\n',
}
FAULTY = {**GOOD, "source": GOOD["source"].replace(", ", "; ")}
BROKEN_TEST = Finding(rule="pytest", path="tests/live/test_greet.py", line=3, message="expected a comma")


def report(*findings: Finding) -> GateReport:
    """What a gate says: passed, or failed with findings."""
    check = Check(name="tests", passed=not findings, seconds=0.1, summary="ran", findings=findings)
    verdict: Any = "failed" if findings else "passed"
    return GateReport(verdict=verdict, base="b", head="h", policy="p", checks=(check,))


class Bench:
    """Live files, and a gate whose one test wants a comma."""

    def __init__(self) -> None:
        self.files = FILES
        self.trials: list[tuple[Edit, ...]] = []

    async def trial(self, draft: Draft) -> GateReport | Finding:
        """Judge by the comma alone."""
        self.trials.append(draft.edits)
        return (
            report()
            if all(", " in edit.model_dump()["source"] for edit in draft.edits)
            else report(BROKEN_TEST)
        )


async def drafted(
    model: ModelProvider, bench: Bench, rules: AuthorRules = RULES, complaints: Sequence[Finding] = ()
) -> Draft | NoDraft | Plan:
    """What an author with this model comes to."""
    return await ModelAuthor(model, rules).draft(REQUEST, bench, complaints, lambda _: None)


def use(name: str, **arguments: Any) -> Turn:
    """A turn that calls one tool."""
    return Turn(calls=(Use(name=name, arguments=arguments),))
