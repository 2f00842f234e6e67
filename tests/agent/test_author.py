"""The model author: errs and mends, keeps to its budget, and ends as a draft or a reason."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agent.author.author import ModelAuthor
from agent.author.tools import SPECS, edit_schema
from agent.ports import ModelProvider
from agent.types import Prices
from policies.decision import Finding
from policies.load import AuthorRules
from selfedit.edits import Edit, edits_from
from selfedit.ports import Author
from selfedit.types import Check, Draft, GateReport, NoDraft, Part, Plan, Request
from tests.fakes.models import EVERY, opened
from tests.fakes.scripted import ScriptedModel, Turn, Use

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
WRONG_NAME = {**GOOD, "target": "gret"}
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


PROPOSES = use("propose", title="Greet with a comma", reason="It reads better.")


@pytest.mark.parametrize("kind", EVERY)
async def test_it_errs_reads_why_and_mends(kind: str) -> None:
    """Bad JSON, an unknown tool, an unknown symbol and a failing trial come back as results; the draft tells of them."""
    script = [
        Turn(
            text="I look first.",
            calls=(Use(name="outline", arguments={"path": PATH}), Use(name="list_files")),
        ),
        Turn(calls=(Use(name="try_edits", arguments='{"edits": [{"op": '),)),
        use("run_shell", command="ls"),
        use("try_edits", edits=[WRONG_NAME]),
        use("try_edits", edits=[FAULTY]),
        Turn(when="expected a comma", calls=(Use(name="try_edits", arguments={"edits": [GOOD]}),)),
        PROPOSES,
    ]
    bench = Bench()
    async with opened(kind, *script) as played:
        draft = await drafted(played.provider, bench)
        sent = [json.dumps(request) for request in played.script.requests]
    assert isinstance(draft, Draft), draft
    assert draft.edits == edits_from([GOOD])
    assert (draft.author, draft.title, draft.tokens) == ("model", "Greet with a comma", 7 * 120)
    assert draft.cost == pytest.approx(7 * (100 * 2 + 20 * 10) / 1_000_000)
    assert draft.model
    assert "run_shell" in sent[3]
    assert "greet" in sent[4].partition("gret")[2]
    assert len(bench.trials) == 2
    told = " ".join(draft.notes)
    assert all(word in told for word in ("try_edits", "run_shell", "gret", "expected a comma"))


@pytest.mark.parametrize("kind", EVERY)
async def test_the_gates_no_goes_on_in_the_same_conversation(kind: str) -> None:
    """Asked again with complaints, the model sees them, mends, and the bill counts both rounds."""
    script = [
        use("propose", title="Greet", reason="Nicer.", edits=[FAULTY]),
        use("propose", title="Greet", reason="Nicer.", edits=[GOOD]).model_copy(
            update={"when": "expected a comma"}
        ),
    ]
    bench = Bench()
    async with opened(kind, *script) as played:
        author: Author = ModelAuthor(played.provider, RULES)
        first = await author.draft(REQUEST, bench, (), lambda _: None)
        second = await author.draft(REQUEST, bench, [BROKEN_TEST], lambda _: None)
    assert isinstance(first, Draft)
    assert isinstance(second, Draft)
    assert second.edits == edits_from([GOOD])
    assert second.tokens == 2 * first.tokens
    assert "expected a comma" in " ".join(second.notes)


async def test_complaints_reach_a_model_that_knows_nothing_of_before() -> None:
    """An author that did not make the failed draft is told of the complaints all the same."""
    model = ScriptedModel(use("give_up", reason="Too hard."))
    await drafted(model, Bench(), complaints=[BROKEN_TEST])
    assert "expected a comma" in json.dumps(model.script.requests[0])


async def test_edits_that_a_trial_turned_down_are_not_proposed() -> None:
    """Proposing exactly what has failed is answered with the failure, not handed over."""
    model = ScriptedModel(
        use("try_edits", edits=[FAULTY]),
        use("propose", title="Greet", reason="Nicer.", edits=[FAULTY]),
        use("give_up", reason="It cannot be done."),
    )
    ended = await drafted(model, Bench())
    assert ended == NoDraft(why="The model gave up: It cannot be done.", tokens=3 * 120)


async def test_a_passed_trial_is_proposed_without_being_repeated() -> None:
    """Without edits of its own, `propose` hands over those of the last trial that passed."""
    draft = await drafted(ScriptedModel(use("try_edits", edits=[GOOD]), PROPOSES), Bench())
    assert isinstance(draft, Draft)
    assert draft.edits == edits_from([GOOD])
    assert draft.notes == ()


async def test_edits_as_text_and_with_empty_fields_are_understood() -> None:
    """A list that came as JSON text, filled up with empty fields that belong to other ops, is taken as meant."""
    edits = json.dumps([{**GOOD, "into": None, "statement": "", "text": ""}])
    draft = await drafted(ScriptedModel(use("propose", title="T", reason="R", edits=edits)), Bench())
    assert isinstance(draft, Draft)
    assert draft.edits == edits_from([GOOD])


@pytest.mark.parametrize(
    ("rules", "prices"),
    [
        (RULES.model_copy(update={"max_tokens": 4000}), Prices()),
        (RULES.model_copy(update={"max_dollars": 0.01}), Prices(input=2, output=10)),
        (RULES.model_copy(update={"steps": 3}), Prices()),
    ],
)
async def test_the_budget_stops_it_before_it_is_overspent(rules: AuthorRules, prices: Prices) -> None:
    """No answer is asked for that could cost more than what is left, in answers, tokens or dollars."""
    turns = [
        Turn(
            calls=(Use(name="search", arguments={"text": f"word {n}"}),), input_tokens=500, output_tokens=100
        )
        for n in range(50)
    ]
    model = ScriptedModel(*turns, prices=prices)
    ended = await drafted(model, Bench(), rules)
    assert isinstance(ended, NoDraft)
    assert "used up" in ended.why
    asked = model.script.requests
    assert len(asked) <= rules.steps
    assert 600 * len(asked) <= rules.max_tokens
    worst = sum((500 * prices.input + 100 * prices.output) / 1e6 for _ in asked[:-1])
    worst += sum((500 * prices.input + request["max_tokens"] * prices.output) / 1e6 for request in asked[-1:])
    assert worst <= rules.max_dollars


async def test_a_server_that_counts_nothing_is_charged_by_estimate() -> None:
    """Where no usage is told, the token budget holds all the same."""
    turns = [
        Turn(calls=(Use(name="search", arguments={"text": f"w{n}"}),), input_tokens=0, output_tokens=0)
        for n in range(50)
    ]
    model = ScriptedModel(*turns)
    ended = await drafted(model, Bench(), RULES.model_copy(update={"max_tokens": 20_000, "steps": 50}))
    assert isinstance(ended, NoDraft)
    assert 0 < len(model.script.requests) < 50


async def test_a_server_that_counts_nothing_keeps_to_the_dollars() -> None:
    """Where no usage is told but a price is known, the budget in dollars holds, too."""
    turns = [
        Turn(calls=(Use(name="search", arguments={"text": f"w{n}"}),), input_tokens=0, output_tokens=0)
        for n in range(50)
    ]
    model = ScriptedModel(*turns, prices=Prices(input=2, output=10))
    rules = RULES.model_copy(update={"max_dollars": 0.05, "max_tokens": 10_000_000, "steps": 50})
    ended = await drafted(model, Bench(), rules)
    assert isinstance(ended, NoDraft)
    assert "used up" in ended.why
    assert 0 < len(model.script.requests) < 50


async def test_an_answer_that_failed_is_on_the_bill() -> None:
    """What broke off was paid for: it counts against the budget, in the sentence and in the rounds after."""
    breaks = Turn(text="I think that it may be done by a comma.", break_after=2)
    model = ScriptedModel(
        use("search", text="x"),
        breaks,
        use("propose", title="T", reason="R", edits=[GOOD]),
        prices=Prices(input=1000, output=1000),
    )
    author = ModelAuthor(model, RULES.model_copy(update={"max_dollars": 1000.0}))
    failed = await author.draft(REQUEST, Bench(), (), lambda _: None)
    assert isinstance(failed, NoDraft)
    assert "1 answer, 120 tokens" not in failed.why
    draft = await author.draft(REQUEST, Bench(), [BROKEN_TEST], lambda _: None)
    assert isinstance(draft, Draft)
    assert draft.tokens > 2 * 120
    assert draft.cost > 2 * 0.12


async def test_going_round_in_circles_is_cut_short() -> None:
    """The same call again and again is not carried out again, and then ended."""
    bench = Bench()
    model = ScriptedModel(*[use("try_edits", edits=[FAULTY])] * 12)
    ended = await drafted(model, bench)
    assert isinstance(ended, NoDraft)
    assert "circles" in ended.why
    assert len(bench.trials) == 1


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([use("give_up", reason="It is done already.")], "It is done already."),
        ([Turn(text="I would rather talk.", times=0)], "I would rather talk."),
        ([Turn(text="I will not.", stop="refused")], "I will not."),
        ([Turn(status=401, message="bad key")], "bad key"),
        ([use("search", text="x"), Turn(status=500)], "1 answer, 120 tokens"),
    ],
)
async def test_other_ends_say_why(turns: list[Turn], says: str) -> None:
    """Giving up, talking without acting, declining and a provider's failure each end in a sentence."""
    ended = await drafted(ScriptedModel(*turns), Bench())
    assert isinstance(ended, NoDraft)
    assert says in ended.why


async def test_an_answer_that_was_cut_off_is_not_acted_on() -> None:
    """A call in an answer that hit the token limit is not carried out, even where it can be read."""
    cut = Turn(
        calls=(Use(name="propose", arguments={"title": "T", "reason": "R", "edits": [GOOD]}),), stop="length"
    )
    ended = await drafted(ScriptedModel(cut, use("give_up", reason="Too long.")), Bench())
    assert ended == NoDraft(why="The model gave up: Too long.", tokens=2 * 120)


@pytest.mark.parametrize("kind", EVERY)
async def test_every_call_of_an_answer_is_answered(kind: str) -> None:
    """Calls beside and after the one that ends the work are answered too, so that a next round is well-formed."""
    ends = Use(name="propose", arguments={"title": "T", "reason": "R", "edits": [GOOD]})
    first = Turn(calls=(Use(name="list_files"), ends, Use(name="search", arguments={"text": "x"})))
    async with opened(kind, first, use("give_up", reason="No.")) as played:
        author = ModelAuthor(played.provider, RULES)
        assert isinstance(await author.draft(REQUEST, Bench(), (), lambda _: None), Draft)
        assert isinstance(await author.draft(REQUEST, Bench(), [BROKEN_TEST], lambda _: None), NoDraft)


async def test_what_files_say_is_marked_as_data() -> None:
    """File text goes to the model between marks that the file cannot know."""
    model = ScriptedModel(
        use("read_file", path=PATH), use("read_file", path=PATH, last=2), use("give_up", reason="No.")
    )
    await drafted(model, Bench())
    result = model.script.requests[1]["messages"][-1]["text"]
    opening = result.splitlines()[0]
    assert opening.startswith("<data-")
    assert result.endswith(f"</{opening[1:].split()[0]}>")
    assert opening.split()[0] not in "".join(FILES.values())


def test_the_schema_knows_every_op_and_field() -> None:
    """The flat schema that models are told has each op of the edit language and each field of each op."""
    schema = edit_schema()
    ops = schema["properties"]["op"]["enum"]
    assert len(ops) == len(set(ops)) == 16
    assert {
        "target",
        "source",
        "into",
        "after",
        "name",
        "value",
        "text",
        "parameter",
        "statement",
        "decorator",
    } <= set(schema["properties"])


def test_schemas_are_plain_objects() -> None:
    """No tool's schema uses what some vendors or small servers refuse: unions, references, defaults of null."""
    for spec in SPECS:
        assert spec.parameters["type"] == "object"
        assert not {"oneOf", "anyOf", "$ref", "$defs", "discriminator"} & set(
            json.dumps(spec.parameters).split('"')
        )


GOALS = ["Greet with a comma.", "Greet with a name."]


@pytest.mark.parametrize("kind", EVERY)
async def test_a_goal_that_is_too_large_is_split(kind: str) -> None:
    """The model may answer with a row of smaller goals; the plan carries reason and bill."""
    script = [
        use("list_files"),
        use("split", goals=["Greet with a comma."], reason="Two things."),
        use("split", goals=GOALS, reason="Two things."),
    ]
    async with opened(kind, *script) as played:
        plan = await ModelAuthor(played.provider, RULES).draft(REQUEST, Bench(), (), lambda _: None)
    assert isinstance(plan, Plan), plan
    assert plan.goals == tuple(GOALS)
    assert (plan.why, plan.tokens) == ("Two things.", 3 * 120)
    assert plan.model


async def test_a_part_of_a_row_is_not_split_again() -> None:
    """The tool is not offered, and calling it all the same is answered like any unknown one."""
    part = Part(of=1, number=2, count=2, whole="Greet much better.")
    request = Request(requested_by="console:operator", goal="Greet with a comma.", part=part)
    model = ScriptedModel(use("split", goals=GOALS, reason="More."), use("give_up", reason="No."))
    ended = await ModelAuthor(model, RULES).draft(request, Bench(), (), lambda _: None)
    assert isinstance(ended, NoDraft)
    first, second = model.script.requests
    assert "'name': 'split'" not in str(first["tools"])
    assert "part 2 of 2" in str(first["messages"])
    assert "Greet much better." in str(first["messages"])
    assert "no tool 'split'" in str(second["messages"])
