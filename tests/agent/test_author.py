"""The model author: errs, reads why and mends, and what it is told is data."""

import json

import pytest

from agent.author.author import ModelAuthor
from agent.author.tools import SPECS, edit_schema
from selfedit.editing.edits import edits_from
from selfedit.ports import Author
from selfedit.types import Draft, NoDraft, Part, Plan, Request
from tests.agent.drafting import BROKEN_TEST, FAULTY, FILES, GOOD, PATH, REQUEST, RULES, Bench, drafted, use
from tests.fakes.models import EVERY, opened
from tests.fakes.scripted import ScriptedModel, Turn, Use

WRONG_NAME = {**GOOD, "target": "gret"}


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
