"""A call is ended in its time, answered from memory where it may be, taken back where it failed, and kept without secrets."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.calling.executor import Calls
from agent.guardrails.outgoing import addresses
from agent.guardrails.redaction import looks_secret, redacted
from agent.tool import Context, Manifest, Result, ToolRefused
from agent.types import ToolCall
from tests.agent.toolboxes import RULES, calls
from tests.fakes.tools import CONSOLE, HERE, box, call, echo


async def test_a_call_that_takes_too_long_is_ended() -> None:
    """A tool is cancelled at its time limit, and one that will not end is left behind."""
    never = asyncio.Event()

    async def slow(context: Context) -> str:
        """Never end."""
        del context
        await never.wait()
        return "late"

    async def stubborn(context: Context) -> str:
        """Not even then."""
        del context
        while not never.is_set():
            try:
                await never.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    limits = {"slow": Manifest(seconds=0.01), "stubborn": Manifest(seconds=0.01)}
    for name in limits:
        answered = await calls().run(box(slow, stubborn, **limits), call(name), HERE)
        assert (answered.outcome, "0.01 s" in answered.text) == ("late", True)
    never.set()


async def test_the_same_question_is_answered_from_memory() -> None:
    """Within its life an answer is given again, marked as such, to the same person in the same place alone."""
    asked: list[str] = []

    async def probe(context: Context, a: int, b: int = 2) -> str:
        """Count."""
        asked.append(context.caller)
        return f"{a} {b} {len(asked)}"

    running, tools = calls(), box(probe, probe=Manifest(cache_seconds=60))
    first = await running.run(tools, ToolCall(id="1", name="probe", arguments='{"a": 1, "b": 2}'), HERE)
    again = await running.run(tools, ToolCall(id="2", name="probe", arguments='{"b":2,"a":1}'), HERE)
    assert (first.outcome, again.outcome, again.text, again.call.id) == ("ok", "cached", first.text, "2")
    await running.run(tools, call("probe", a=1, b=2), CONSOLE)
    await running.run(tools, call("probe", a=1, b=2), replace(HERE, conversation="there"))
    assert asked == ["discord:7", "console:ann", "discord:7"]


async def test_an_answer_is_not_kept_longer_than_it_may() -> None:
    """After its life, and after a failure, the tool is asked again."""
    now = [1000.0]
    asked: list[str] = []

    async def probe(context: Context) -> str:
        """Fail first."""
        asked.append(context.caller)
        if len(asked) == 1:
            raise ToolRefused("not yet")
        return "yes"

    running = Calls(RULES, clock=lambda: now[0])
    tools = box(probe, probe=Manifest(cache_seconds=60))
    outcomes = [(await running.run(tools, call("probe"), HERE)).outcome for _ in range(3)]
    now[0] += 61
    outcomes.append((await running.run(tools, call("probe"), HERE)).outcome)
    assert outcomes == ["refused", "ok", "cached", "ok"]


@pytest.mark.parametrize("ends", ["fails", "late", "cancelled"])
async def test_what_a_failed_call_did_is_taken_back(ends: str) -> None:
    """A tool that wrote and then failed, came late or was cancelled leaves nothing, when it says how to undo it."""
    pages: list[str] = []
    written, never = asyncio.Event(), asyncio.Event()

    async def write(context: Context, page: str) -> str:
        """Write a page."""
        pages.append(page)
        written.set()
        if ends != "fails":
            await never.wait()
        raise OSError(f"disk of {context.caller}")

    async def undo(context: Context, page: str) -> str:
        assert context.caller
        pages.remove(page)
        return "done"

    seconds = 0.01 if ends == "late" else 60.0
    tools = box(write, write=Manifest(writes=True, undo=undo, seconds=seconds))
    running = asyncio.create_task(calls().run(tools, call("write", page="x"), HERE))
    if ends == "cancelled":
        await written.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        assert "taken back" in (await running).text
    assert pages == []


@pytest.mark.parametrize(
    ("result", "outcome", "text"),
    [
        ("plain", "ok", "plain"),
        ("", "ok", "(nothing)"),
        (Result("said", sources=("https://a",), file="a.txt"), "ok", "said"),
        (Result("", data={"a": [1]}), "ok", '{"a":[1]}'),
        (7, "failed", "probe failed: it answered with int, not with text."),
        ("x" * 200, "ok", f"{'x' * 100}\n(cut: 200 characters in all, of which 100 are shown)"),
    ],
)
async def test_results_are_text_json_or_a_file(result: object, outcome: str, text: str) -> None:
    """Whatever a tool returns becomes a text that a model can read, and no longer than it may be."""

    async def probe(context: Context) -> Any:
        """Answer."""
        del context
        return result

    answered = await calls(result_chars=100).run(box(probe), call("probe"), HERE)
    assert (answered.outcome, answered.text) == (outcome, text)
    if isinstance(result, Result):
        assert (answered.sources, answered.file) == (result.sources, result.file)


async def test_an_answer_that_takes_for_ever_to_read_is_a_failure() -> None:
    """What a tool hands back may compute when it is looked at; that is interrupted like the tool itself."""

    async def probe(_context: Context) -> Result:
        """Name sources without end."""
        return Result(text="there", sources=iter(lambda: "", None))  # type: ignore[arg-type]  # what this is about

    async with asyncio.timeout(60):
        answered = await calls().run(box(probe), call("probe"), HERE)
    assert (answered.outcome, answered.error) == ("failed", "Computing")
    assert "cannot be read" in answered.text


async def test_an_answer_that_exits_when_it_is_read_is_a_failure() -> None:
    """What a tool hands back may raise an exit when it is looked at; that is its error, and the process goes on."""

    class Leaves(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise SystemExit

    async def probe(_context: Context) -> Result:
        """Name a file."""
        return Result("there", file=Leaves())

    answered = await calls().run(box(probe), call("probe"), HERE)
    assert (answered.outcome, answered.error) == ("failed", "SystemExit")


async def test_a_person_may_use_a_tool_so_often_in_a_day() -> None:
    """The next call of the day is refused, another person's is not, and the next day begins anew."""
    now = [86_400.0 * 10 + 5]
    rules = RULES.model_copy(update={"tools": RULES.tools.model_copy(update={"calls_a_day": 2})})
    running, tools = Calls(rules, clock=lambda: now[0]), box(echo)
    outcomes = [(await running.run(tools, call("echo"), HERE)).outcome for _ in range(3)]
    outcomes.append((await running.run(tools, call("echo"), CONSOLE)).outcome)
    now[0] += 86_400
    outcomes.append((await running.run(tools, call("echo"), HERE)).outcome)
    assert outcomes == ["ok", "ok", "denied", "ok", "ok"]


async def test_once_text_from_outside_is_there_only_given_addresses_are_visited() -> None:
    """A tool of the net visits addresses that stand in the turn as they are, and carries nothing that looks secret."""

    async def fetch(context: Context, url: str) -> str:
        """Fetch."""
        return f"{context.call} {url}"

    running, tools = calls(), box(fetch, fetch=Manifest(uses=("web",)))
    known = addresses(["see https://good.example/page and decide"])

    async def outcome(url: str, outside: Collection[str] | None = known) -> str:
        return (await running.run(tools, call("fetch", url=url), HERE, outside)).outcome

    assert await outcome("https://good.example/page") == "ok"
    assert await outcome("https://evil.example/?said=hello") == "unconfirmed"
    assert await outcome("https://good.example/page?said=hello") == "unconfirmed"
    assert await outcome("sk-proj-0123456789abcdef0123456789abcdef") == "unconfirmed"
    assert await outcome("https://evil.example/?said=hello", None) == "ok"


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({"text": "x"}, {"text": "x"}),
        (
            {"api_key": "abc", "deep": [{"Password": 1}]},
            {"api_key": "(hidden)", "deep": [{"Password": "(hidden)"}]},
        ),
        ({"text": "use ghp_0123456789abcdef0123456789abcdef0123"}, {"text": "use (hidden)"}),
        ({"url": "https://ann:pass@a.example/"}, {"url": "https://(hidden)@a.example/"}),
        ({"text": "x" * 400}, {"text": f"{'x' * 300}… (400 characters)"}),
    ],
)
def test_what_is_kept_of_arguments_holds_no_secret(arguments: Any, kept: Any) -> None:
    """Keys, tokens and passwords are taken out by name and by look; long texts are cut."""
    assert json.loads(redacted(json.dumps(arguments))) == kept


ORDINARY = (
    "https://github.com/a/skeleton-templates-for-websites",
    "https://repo.example/pkgs-stable-release/index.html",
    "https://shop.example/sk-SK/produkty-a-sluzby-2024-09",
    "https://blog.example/sk-learn-tutorial-with-examples",
    "https://a.example/MediaWikiSkinsAndExtensions.listed.on-this-page-of-the-wiki",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_address_is_no_secret(text: str) -> None:
    """Words that begin like a key are words."""
    assert not looks_secret(text)


@pytest.mark.parametrize(
    "secret",
    [
        f"ghp_{'a1B2' * 9}",
        f"github_pat_{'a1B2_' * 12}",
        f"sk-{'a1B2' * 10}",
        f"sk-ant-api03-{'a1-B2_' * 6}",
        f"sk-or-v1-{'0123abcd' * 8}",
        f"sk_live_{'a1B2' * 6}",
        f"AIza{'a1B2_' * 8}",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        f"xoxb-{'123456789' * 3}-abc",
        f"M{'a1B2' * 6}.{'a1B2cD'}.{'a1B2' * 7}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{'a1B2' * 8}",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIabc/+=\nabc=\n",
        "https://ann:pass@a.example/",
    ],
)
def test_a_secret_is_known_by_its_look(secret: str) -> None:
    """Wherever it stands, what people use as keys neither leaves with an address nor stays in the audit."""
    assert looks_secret(f"take {secret} with you")
    kept = redacted(json.dumps({"text": f"take {secret}"}))
    assert "(hidden)" in kept
    assert secret[-12:].strip() not in json.loads(kept)["text"]


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["text", "x", "Text"]), _VALUES, max_size=3))
def test_wrong_arguments_never_reach_a_tool(arguments: dict[str, Any]) -> None:
    """Random arguments either are exactly what the tool takes, or the tool is not run."""
    reached: list[Any] = []

    async def probe(context: Context, text: str) -> str:
        """Probe."""
        reached.append(text)
        return context.caller

    answered = asyncio.run(calls().run(box(probe), call("probe", **arguments), HERE))
    fits = set(arguments) == {"text"} and isinstance(arguments["text"], str)
    assert (answered.outcome == "ok") == fits
    assert reached == ([arguments["text"]] if fits else [])
