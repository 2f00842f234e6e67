"""Tools: what may be offered is found, what may not is refused with a reason, and each call has its outcome."""

import asyncio
import json
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.calling.executor import Answered, Calls, Place
from agent.calling.toolbox import SERVICES, BadTool, discover
from agent.guardrails.outgoing import addresses
from agent.guardrails.redaction import looks_secret, redacted
from agent.tool import Context, Manifest, Result, ToolRefused
from agent.types import ToolCall
from policies.load import Lent, load_rules
from tests.fakes.tools import CONSOLE, HERE, box, call, echo, source

RULES = load_rules()
GOOD = """
    from typing import Annotated

    from agent.tool import Context, tool


    @tool(uses=["web"], examples=["shout(text='hi')"], aliases=["yell"])
    async def shout(context: Context, text: Annotated[str, "what to say louder"]) -> str:
        \"\"\"Say a text in capital letters.\"\"\"
        return text.upper()
"""


def calls(heard: list[str] | None = None, **changed: Any) -> Calls:
    """What runs calls; `changed` are rules of tools."""
    rules = RULES.model_copy(update={"tools": RULES.tools.model_copy(update=changed)})
    outcomes = heard if heard is not None else []

    def note(_place: Place, answered: Answered) -> None:
        outcomes.append(answered.outcome)

    async def lend() -> dict[str, str]:
        return {"web": "the net", "files": "a folder"}

    return Calls(rules, lend, note)


def test_a_tool_is_its_function() -> None:
    """Name, description, schema and manifest come from one file of ten lines; an alias finds it as well."""
    tools = discover(
        [
            source(GOOD),
            source("", "agent/live/tools/__init__.py"),
            source("x = 1", "agent/live/tools/_words.py"),
        ]
    )
    tool = tools.find("yell")
    assert tool is not None
    assert (tool.name, tool.manifest.uses, tool.manifest.version) == ("shout", ("web",), "1.0.0")
    assert tool.spec.name == "shout"
    assert tool.spec.description == "Say a text in capital letters. For example: shout(text='hi')"
    assert tool.spec.parameters["properties"]["text"] == {
        "type": "string",
        "description": "what to say louder",
    }


async def test_the_tool_of_the_guide_works() -> None:
    """The whole tool that the README shows is offered and runs."""
    readme = (Path(__file__).parents[2] / "agent" / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    tools = discover([source(text, "agent/live/tools/shout.py")])
    answered = await calls().run(tools, call("shout", text="hi"), HERE)
    assert (answered.outcome, answered.text) == ("ok", "HI")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("@tool(", "def tool2(**_): return lambda f: f\n    @tool2("), "no function"),
        (("return text.upper()", "return context.runner"), "does not name"),
        (("async def", "def"), "async def"),
        (('"""Say a text in capital letters."""', "pass"), "docstring"),
        (('Annotated[str, "what to say louder"]', "Exception"), "no JSON"),
        (('uses=["web"]', 'uses=["shell"]'), "shell"),
        (('uses=["web"]', 'uses=["web"], seconds=99999'), "99999"),
        (('uses=["web"]', 'uses=["web"], cost=-1'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=1e999-1e999'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=1e999'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=10**400'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=1e999'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=1e999-1e999'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=-1'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], seconds=1e999-1e999'), "say between"),
        (('uses=["web"]', 'uses=["web"], writes=True, cache_seconds=5'), "cannot be kept"),
        (('uses=["web"]', 'uses=["web"], version="one"'), "1.0.0"),
        (('uses=["web"]', 'uses=["web"], permission="root"'), "nobody has"),
        (("shout(context", "Shout(context"), "no name for a tool"),
        (('["yell"]', '["Yell it"]'), "no name for a tool"),
        (('["yell"]', '["shout"]'), "another tool"),
    ],
)  # fmt: skip
def test_a_tool_that_cannot_be_offered_is_refused(change: tuple[str, str], says: str) -> None:
    """The reason names the file and what to change."""
    with pytest.raises(BadTool, match=r"agent/live/tools/probe\.py") as caught:
        discover([source(GOOD.replace(*change))])
    assert says in str(caught.value)


def test_no_two_tools_share_a_name() -> None:
    """A name or an alias that is taken refuses the set."""
    other = GOOD.replace("async def shout", "async def yell").replace('aliases=["yell"]', "")
    with pytest.raises(BadTool, match="another tool is called"):
        discover([source(GOOD), source(other, "agent/live/tools/second.py")])


async def test_a_tool_is_lent_what_it_names_and_nothing_else() -> None:
    """Touching a service that the manifest does not name is refused when it is touched."""

    async def probe(context: Context) -> str:
        """Touch."""
        return f"{context.web} {context.files}"

    named = await calls().run(box(probe, probe=Manifest(uses=("web", "files"))), call("probe"), CONSOLE)
    assert named.text == "the net a folder"
    unnamed = await calls().run(box(probe, probe=Manifest(uses=("web",))), call("probe"), HERE)
    assert (unnamed.outcome, "files" in unnamed.text) == ("refused", True)


async def test_permission_is_asked_when_listed_and_when_run() -> None:
    """What somebody may not use is neither offered nor run, also when a model calls it all the same."""
    heard: list[str] = []
    tools = box(echo, echo=Manifest(permission="maintainer"))
    assert tools.allowed("discord:7", "here", "partner", RULES) == []
    assert [tool.name for tool in tools.allowed("console:ann", "here", "partner", RULES)] == ["echo"]
    assert (await calls(heard).run(tools, call("echo"), HERE)).outcome == "denied"
    assert (await calls(heard).run(tools, call("echo"), CONSOLE)).outcome == "ok"
    assert heard == ["denied", "ok"]


@pytest.mark.parametrize("service", ["data", "files"])
async def test_no_tool_opens_the_operators_data_to_everyone(service: Any) -> None:
    """What a tool says of its permission counts only above what the rules ask for the services it uses."""
    tools = box(echo, echo=Manifest(uses=(service,), permission="everyone"))
    assert tools.allowed("discord:7", "here", "partner", RULES) == []
    assert (await calls().run(tools, call("echo"), HERE)).outcome == "denied"
    assert (await calls().run(tools, call("echo"), CONSOLE)).outcome == "ok"
    higher = box(echo, echo=Manifest(uses=(service,), permission="maintainer"))
    rules = RULES.model_copy(
        update={
            "tools": RULES.tools.model_copy(update={"trusted": ("discord:7",), "least": {service: "trusted"}})
        }
    )
    assert [tool.name for tool in tools.allowed("discord:7", "here", "partner", rules)] == ["echo"]
    assert higher.allowed("discord:7", "here", "partner", rules) == []


def test_the_rules_know_every_service() -> None:
    """Whatever a tool may ask to be lent, the rules can say who may use it."""
    assert set(get_args(Lent)) == SERVICES


@pytest.mark.parametrize("permission", ["everyone", "trusted", "maintainer"])
@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("listed", [None, (), ("echo",)])
@pytest.mark.parametrize("role", ["partner", "planner", "writer"])
def test_roles_and_lists_only_narrow(
    permission: Any, listed: tuple[str, ...] | None, role: Any, *, writes: bool
) -> None:
    """Whoever may use a tool in a role and a listed place may use it as a partner anywhere."""
    tools = box(echo, echo=Manifest(permission=permission, writes=writes))
    places = {} if listed is None else {"here": listed}
    rules = RULES.model_copy(
        update={"tools": RULES.tools.model_copy(update={"places": places, "trusted": ("discord:8",)})}
    )
    for caller in ("discord:7", "discord:8", "console:ann"):
        narrow = tools.allowed(caller, "here", role, rules)
        assert not narrow or tools.allowed(caller, "there", "partner", rules) == narrow
        assert not narrow or (listed is None or "echo" in listed)
        assert not narrow or not (writes and role == "planner")


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
