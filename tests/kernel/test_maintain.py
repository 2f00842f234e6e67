"""Maintenance with real ruff, mypy and vulture: what it finds, how it says it, and when it stops."""

import asyncio
from collections.abc import Mapping

from policies.decision import Finding
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.authors.analyse import CodeReport, analyse
from selfedit.authors.maintain import RANKS, Maintenance, family_of, fingerprint
from selfedit.editing.codemod import Applied, apply_edits
from selfedit.types import Draft, GateReport, NoDraft, Request
from tests.fakes.local_sandbox import LocalSandbox

ASKED = Request(requested_by="console:operator")
SETTINGS = "[tool.ruff]\nline-length = 110\n"
LOOP = '''"""Numbers."""


def doubled(numbers: list[int]) -> list[int]:
    """Each number twice as large."""
    found = []
    for number in numbers:
        found.append(number * 2)
    return found


def sign(number: int) -> str:
    """A word for it."""
    if number < 0:
        return "negative"
    else:
        return "positive"


def setup(registry: object) -> None:
    """Use them."""
    print(registry, doubled([1]), sign(1))
'''


class Bench:
    """Files to look at; a trial is never asked for."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    async def trial(self, draft: Draft) -> GateReport | Finding:
        """Fails: maintenance leaves judging to the gate."""
        raise AssertionError(draft.title)


class Place:
    """A sandbox as the steward hands it over, and a maintenance that uses it."""

    def __init__(self, pyproject: str = SETTINGS) -> None:
        self.sandbox = LocalSandbox()
        self.unwanted: set[str] = set()
        self.said: list[str] = []
        self.pyproject = pyproject
        self.author = self.fresh()

    def fresh(self) -> Maintenance:
        """As after a restart of the steward."""
        return Maintenance(self._open, lambda: self.unwanted, lambda: self.pyproject)

    async def _open(self) -> Sandbox:
        return self.sandbox

    async def draft(self, files: Mapping[str, str], *complaints: Finding) -> Draft | NoDraft:
        """One round of drafting."""
        return await self.author.draft(ASKED, Bench(files), complaints, self.said.append)


def look(files: Mapping[str, str]) -> CodeReport:
    return asyncio.run(analyse(files, LocalSandbox(), pyproject=SETTINGS, ranks=RANKS))


async def test_a_draft_is_one_definition_with_its_reason() -> None:
    """A proposal changes one function, and says which rules it follows, why they matter and what became simpler."""
    draft = await Place().draft({"bot/live/a/feature.py": LOOP})
    assert isinstance(draft, Draft)
    assert [(edit.op, getattr(edit, "target", "")) for edit in draft.edits] == [
        ("replace_function", "doubled")
    ]
    assert draft.title.startswith("Speed up a.doubled: ")
    assert "PERF401" in draft.reason
    assert "Performance: " in draft.reason
    assert "complexity falls from 2 to 1" in draft.reason
    assert (draft.author, draft.model, draft.cost) == ("maintenance", None, 0.0)


async def test_what_weighs_more_comes_first() -> None:
    """Correctness before dead code before performance before clarity, whatever the order in the file."""
    source = (
        LOOP
        + '\n\ndef kept(item: int, into: list[int] = []) -> list[int]:\n    """Keep it."""\n    into.append(item)\n    return into\n'
    )
    source += (
        '\n\ndef forgotten() -> int:\n    """Nobody asks."""\n    return 1\n\n\nKEPT = kept(1)\nprint(KEPT)\n'
    )
    place, files, order = Place(), {"bot/live/a/feature.py": source}, []
    while isinstance(draft := await place.draft(files), Draft):
        order.append(getattr(draft.edits[0], "target", ""))
    assert order == ["kept", "forgotten", "doubled", "sign"]


async def test_it_comes_to_an_end_and_says_what_is_left() -> None:
    """Applying one draft after the other ends with a sentence that names complex and untested functions."""
    place, files, drafts = Place(), {"bot/live/a/feature.py": LOOP, "tests/live/test_a.py": "# sign\n"}, 0
    while isinstance(draft := await place.draft(files), Draft):
        applied = apply_edits(files, draft.edits)
        assert isinstance(applied, Applied)
        files = {**files, **applied.files}
        drafts += 1
    assert drafts == 2
    assert draft.why.startswith("Nothing to improve by itself was found in 2 live files.")
    assert "No live test mentions 2 of 3 functions: a.doubled, a.setup" in draft.why


async def test_a_refused_draft_is_not_made_again() -> None:
    """What was turned down before a restart is passed over, and the answer at the end counts it."""
    place, files = Place(), {"bot/live/a/feature.py": LOOP}
    first = await place.draft(files)
    assert isinstance(first, Draft)
    place.unwanted.add(fingerprint(first))
    place.author = place.fresh()
    second = await place.draft(files)
    assert isinstance(second, Draft)
    assert fingerprint(second) != fingerprint(first)
    third = await place.draft(files)
    assert isinstance(third, NoDraft)
    assert "2 ideas were proposed before" in third.why


async def test_after_a_complaint_comes_another_idea_without_another_look() -> None:
    """The gate's no to a draft leads to the next improvement, from what is known already."""
    place, files = Place(), {"bot/live/a/feature.py": LOOP}
    first = await place.draft(files)
    second = await place.draft(files, Finding(rule="tests", message="a test fails"))
    assert isinstance(first, Draft)
    assert isinstance(second, Draft)
    assert fingerprint(second) != fingerprint(first)
    assert place.sandbox.ran == 1


async def test_without_a_sandbox_nothing_is_looked_at() -> None:
    """No sandbox is an answer for people, not a crash, and not a look outside of one."""

    async def none() -> Sandbox:
        raise SandboxUnavailable("there is no sandbox; install Docker")

    answer = await Maintenance(none, set).draft(ASKED, Bench({"bot/live/a.py": LOOP}), (), lambda _: None)
    assert isinstance(answer, NoDraft)
    assert answer.why.endswith("there is no sandbox; install Docker")


def test_one_analyser_that_fails_is_said_and_not_fatal() -> None:
    """A file that mypy cannot parse leaves what the others find, with a sentence about mypy."""
    report = look({"bot/live/a/feature.py": LOOP, "bot/live/b.py": "def broken(:\n"})
    assert {one.unit for one in report.improvements} == {"doubled", "sign"}
    assert [fault.partition(":")[0] for fault in report.faults] == ["mypy could not be used"]


def test_each_rule_has_its_family() -> None:
    """The longest beginning decides: an unused import is dead code, though F is about correctness."""
    assert [family_of(rule).name for rule in ("F632", "F401", "PERF401", "SIM110", "XYZ1")] == [
        "correctness",
        "dead code",
        "performance",
        "clarity",
        "clarity",
    ]
