"""Tools for models that have none: the reply is a well-formed call, or text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.providers.constrained import NO_CALL, Constrained
from agent.providers.scripted import ScriptedModel, Turn
from agent.types import Ask, Completion, Message, ToolCall, ToolSpec
from tests.fakes.models import WIRED, opened

WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
OTHER = ToolSpec(name="other", description="Does something else.", parameters={"type": "object"})
ASK = Ask(messages=(Message(role="user", text="How is Oslo?"),), tools=(WEATHER, OTHER))
CALL = '{"tool": "weather", "arguments": {"town": "Oslo"}}'


async def answered(said: str, ask: Ask = ASK) -> Completion:
    """What comes of a model's words."""
    return await Constrained(ScriptedModel(Turn(text=said))).complete(ask)


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_call_and_its_result_go_round_without_native_tools(kind: str) -> None:
    """Over each vendor's wire a call comes out of the form, and its result is told as text."""
    async with opened(kind, Turn(text=CALL), Turn(text='{"text": "Cold."}', when="minus three")) as bench:
        provider = Constrained(bench.provider)
        first = await provider.complete(ASK)
        (call,) = first.calls
        assert (call.name, json.loads(call.arguments), first.stop) == ("weather", {"town": "Oslo"}, "tools")
        result = Message(role="tool", text="minus three", call_id=call.id)
        again = ASK.model_copy(update={"messages": (*ASK.messages, first.message, result)})
        pieces = [piece async for piece in provider.stream(again)]
    assert pieces[0] == "Cold."
    assert isinstance(pieces[-1], Completion)
    assert all("tools" not in request for request in bench.script.requests)


@pytest.mark.parametrize("said", [CALL, f"```json\n{CALL}\n```", f"  {CALL}\n"])
async def test_a_call_is_read_where_it_is_one(said: str) -> None:
    """Plain or in a code fence, a call is a call."""
    assert [call.name for call in (await answered(said)).calls] == ["weather"]


@pytest.mark.parametrize(
    "said",
    [
        "Just some words.",
        '{"a": 1}',
        "[1, 2]",
        "[" * 100_000,
    ],
)
async def test_what_is_no_call_stays_text(said: str) -> None:
    """What does not even begin as the form does is answered as the text that it is."""
    completion = await answered(said)
    assert completion.calls == ()
    assert completion.text == said


@pytest.mark.parametrize(
    "said",
    [
        '{"tool": "weather", "arguments": {"town": "Os',
        '{"tool": "rm_rf", "arguments": {}}',
        '{"tool": "weather", "arguments": "Oslo"}',
        '{"tool": ["weather"], "arguments": {}}',
        '{"text": "It is',
        '```json\n{"te',
        "{",
    ],
)
async def test_half_a_form_is_never_shown(said: str) -> None:
    """Unfinished JSON, an unknown tool or a wrong shape is told as one sentence."""
    completion = await answered(said)
    assert (completion.calls, completion.text) == ((), NO_CALL)


async def test_a_call_that_was_asked_for_and_never_came_is_said() -> None:
    """Words in place of a call that had to come are no answer."""
    completion = await answered("Just some words.", ASK.model_copy(update={"choice": "required"}))
    assert (completion.calls, completion.text) == ((), NO_CALL)


async def cut(said: str) -> Completion:
    """What comes of words that end because they may be no longer."""
    return await Constrained(ScriptedModel(Turn(text=said, stop="length"))).complete(ASK)


@pytest.mark.parametrize("arguments", ["", "{", '{"town": "Os', '{"town": "Oslo"}'])
async def test_a_call_that_was_cut_off_is_one_that_nobody_runs(arguments: str) -> None:
    """It comes out as a native call would: with what there is of its arguments, and with the reason."""
    completion = await cut(f'{{"tool": "weather",\n "arguments": {arguments}')
    (call,) = completion.calls
    assert (call.name, call.arguments, completion.stop) == ("weather", arguments, "length")
    assert completion.text == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('{"text": "It is c', "It is c"),
        ('{ "text" : "One.\\nTwo \\u00e9', "One.\nTwo \u00e9"),
        ('{"text": "Bad \\q', "Bad \\q"),
        ('{"tool": "rm_rf", "arguments": {"a', NO_CALL),
        ('{"te', NO_CALL),
        ("Plain words", "Plain words"),
    ],
)
async def test_a_text_that_was_cut_off_is_shown_without_its_form(said: str, shown: str) -> None:
    """What had come of the answer is shown as text; what was to be the form and is neither is not shown."""
    completion = await cut(said)
    assert (completion.text, completion.calls, completion.stop) == (shown, (), "length")


@given(
    st.text()
    | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)
)
async def test_nothing_that_a_model_says_raises(said: str) -> None:
    """Whatever a model says, there is an answer, and each call in it is of a tool that was offered, with an object."""
    completion = await answered(said)
    for call in completion.calls:
        assert call.name in ("weather", "other")
        assert isinstance(json.loads(call.arguments), dict)


@pytest.mark.parametrize(
    ("choice", "offered", "text"),
    [
        ("auto", ["weather", "other"], True),
        ("required", ["weather", "other"], False),
        ("other", ["other"], False),
    ],
)
async def test_the_form_offers_what_may_be_chosen(choice: str, offered: list[str], text: bool) -> None:  # noqa: FBT001 - a column of the table above
    """Text where it may answer, and only the tools that it may call."""
    model = ScriptedModel(Turn(text="{}"))
    await Constrained(model).complete(ASK.model_copy(update={"choice": choice}))
    schema = model.script.requests[0]["format"]
    forms = schema.get("anyOf", [schema])
    names = [form["properties"]["tool"]["const"] for form in forms if "tool" in form["properties"]]
    assert names == offered
    assert any("text" in form["properties"] for form in forms) is text


async def test_told_to_use_none_it_just_talks() -> None:
    """The last answer, without tools, is plain text under no form."""
    model = ScriptedModel(Turn(text="That is all."))
    completion = await Constrained(model).complete(ASK.model_copy(update={"choice": "none"}))
    assert completion.text == "That is all."
    assert model.script.requests[0]["format"] == {}


async def test_a_server_without_schemas_is_asked_in_words_from_then_on() -> None:
    """Where the server does not know `response_format`, the instructions alone have to do."""
    refusal = Turn(status=400, message="response_format is not supported", when='"response_format"')
    async with opened("compatible", refusal, Turn(text=CALL, times=2)) as bench:
        provider = Constrained(bench.provider)
        assert (await provider.complete(ASK)).calls
        assert (await provider.complete(ASK)).calls
    assert ["response_format" in request for request in bench.script.requests] == [True, False, False]


async def test_the_conversation_is_told_as_alternating_text() -> None:
    """Calls and results become text; one system message in front, and no two messages of a person in a row."""
    call = ToolCall(id="c1", name="weather", arguments='{"town": "Oslo"}')
    messages = (
        Message(role="system", text="Be kind."),
        Message(role="user", text="How is Oslo?"),
        Message(role="assistant", calls=(call,)),
        Message(role="tool", text="minus three", call_id="c1"),
        Message(role="user", text="And tomorrow?"),
    )
    model = ScriptedModel(Turn(text="{}"))
    await Constrained(model).complete(ASK.model_copy(update={"messages": messages}))
    told = model.script.requests[0]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert "Be kind." in told[0]["text"]
    assert "The result of weather:\nminus three" in told[3]["text"]
    assert told[3]["text"].endswith("And tomorrow?")
    assert not any(message["calls"] for message in told)
