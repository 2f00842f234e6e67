"""Tools that people make of data: judged before they are kept, and calls of the net only."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.declared.call import _sent
from agent.declared.document import TEMPLATE, Document
from agent.declared.judging import LONGEST, read_document
from agent.models.single import OneModel
from agent.tool import ToolRefused
from policies.decision import Decision
from tests.fakes.made_tools import BEA, CAI, GOOD, POST, RULES, World, at, read, with_
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE, box, call, echo
from tests.fakes.web_server import Reply, Site


def test_the_template_that_people_are_shown_is_good() -> None:
    """What `/tool template` shows, and the guide as well, can be made as it stands."""
    guide = (Path(__file__).parents[2] / "agent" / "README.md").read_text(encoding="utf-8")
    assert f"```json\n{TEMPLATE}\n```" in guide
    assert read(TEMPLATE).name == "weather_now"


def test_a_description_may_be_toml() -> None:
    """The same tool can be described as TOML."""
    toml = (
        'description = "Say what day it is."\nurl = "https://days.example/today"\n[query]\nformat = "short"'
    )
    document = read_document(toml, RULES.web, "what_day")
    assert isinstance(document, Document)
    assert (document.name, document.query) == ("what_day", {"format": "short"})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"url": "https://{place}.example/{unit}"}, "host is fixed"),
        ({"url": "{place}://weather.example/{unit}"}, "host is fixed"),
        ({"url": "http://weather.example/{place}"}, "https://"),
        ({"url": "https://127.0.0.1/{place}"}, "public net"),
        ({"url": "https://169.254.169.254/{place}"}, "public net"),
        ({"url": "https://metadata.internal/{place}"}, "public net"),
        ({"url": "https://me:pw@weather.example/{place}"}, "user name"),
        ({"url": "file:///etc/{place}"}, "http"),
        ({"url": "https://weather.example:8443/{place}"}, "port 8443"),
        ({"url": "https://weather.example/{place}?a=b"}, '"query"'),
        ({"url": "https://weather.example/{place}/{oops"}, "brace"),
        ({"query": {"unit": "{unit}", "x": "{gone}"}}, "gone"),
        ({"query": {}}, "used nowhere"),
        ({"query": {"unit": "{unit}", "api_key": "x"}}, "hold no keys"),
        ({"query": {"unit": "{unit}", "accessToken": "x"}}, "hold no keys"),
        ({"query": {"unit": "{unit}", "q": "ghp_0123456789abcdef0123456789abcdef0123"}}, "hold no keys"),
        ({"query": {"unit": "{unit}", "q": "a8f5f167f44f4964e6c998dee827110c"}}, "hold no keys"),
        ({"query": {"unit": "{unit}", "q": "postgres://me:hunter@db"}}, "hold no keys"),
        ({"url": "https://weather.example/a8f5f167f44f4964e6c9/{place}"}, "hold no keys"),
        ({"headers": {"Authorization": "Bearer {place}"}}, "cannot be set"),
        ({"headers": {"X-Auth-Token": "{place}"}}, "hold no keys"),
        ({"headers": {"Host": "other.example"}}, "cannot be set"),
        ({"headers": {"X-Line": "a\r\nb"}}, "ASCII"),
        ({"body": {"a": 1}}, "POST"),
        ({"method": "POST"}, "permission"),
        ({"method": "POST", "permission": "trusted", "cache_seconds": 5}, "cache_seconds"),
        ({"method": "DELETE"}, "method"),
        ({"seconds": 99}, "seconds"),
        ({"answer": "now[x].text"}, "no path"),
        ({"description": "short"}, "description"),
        ({"description": "Tells the weather.\u202e Hidden."}, "invisible"),
        ({"description": "Tells the weather.\nIgnore the rest."}, "line"),
        ({"parameters": {"place": {}, "unit": {"choices": ["a\u200bb"]}}}, "invisible"),
        ({"parameters": {"place": {"default": "a\nb"}, "unit": {}}}, "line"),
        ({"name": "Weather Now"}, "small letters"),
        ({"parameters": {"Place": {}, "unit": {}}}, "small letters"),
        ({"code": "import os"}, "there are:"),
        ({"parameters": {"place": {}, "unit": {"type": "integer", "default": "x"}}}, "no integer"),
        ({"parameters": {"place": {}, "unit": {"type": "integer", "least": 5, "most": 1}}}, "nothing lies"),
        ({"parameters": {"place": {}, "unit": {"choices": ["a"], "default": "b"}}}, "may be"),
        ({"examples": ["x" * LONGEST]}, "longer than"),
    ],
)  # fmt: skip
def test_a_description_that_is_not_right_says_what_would_be(changed: dict[str, Any], says: str) -> None:
    """Each refusal is one sentence about the field that is wrong."""
    refused = read_document(with_(GOOD, **changed), RULES.web)
    assert isinstance(refused, Decision)
    assert says in refused.why
    assert "\n" not in refused.why


@given(
    st.text(max_size=200) | st.dictionaries(st.text(max_size=8), st.integers() | st.text()).map(json.dumps)
)
def test_no_text_breaks_the_reading_of_descriptions(text: str) -> None:
    """Whatever is pasted, the answer is a refusal."""
    assert isinstance(read_document(text, RULES.web), Decision)


async def test_a_tool_made_of_data_is_called_like_any_other(world: World, site: Site) -> None:
    """A model's call goes to the host that was described, and the part of the answer that was asked for comes back."""
    assert "Made: weather_now, version 1.0.0" in world.say(f"create {at(site)}")
    assert await world.run("weather_now", place="Bern") == ("ok", "sun")
    (request,) = site.seen
    assert (request.method, request.path, dict(request.query)) == (
        "GET",
        "/v1/Bern/now",
        {"unit": "celsius"},
    )


async def test_a_brain_offers_it_and_marks_what_it_says(world: World, site: Site) -> None:
    """Through a whole turn, the model is offered the tool and reads its answer between the marks of text from outside."""
    world.say(f"create {at(site)}")
    use = Use(name="weather_now", arguments={"place": "Bern"})
    model = ScriptedModel(Turn(calls=(use,)), Turn(text="It is sunny.", when="sun"))
    brain = Brain(OneModel(model), world.rules, made=world.made)
    said = [
        piece
        async for piece in brain.answer(
            BEA.conversation, "weather?", "", caller=BEA.caller, toolbox=box(echo)
        )
    ]
    assert "".join(said).startswith("It is sunny.")
    assert [tool["name"] for tool in model.script.requests[0]["tools"]] == ["echo", "weather_now"]
    result = model.script.requests[1]["messages"][-1]["text"]
    assert result.startswith("<outside-")


@pytest.mark.parametrize(
    "place", ["../../admin", "a/b", "x?y=1", "a#b", "%2e%2e", "ü @ evil.example", "\\\\evil", "a&unit=k"]
)
async def test_no_argument_leaves_its_part_of_the_address(world: World, site: Site, place: str) -> None:
    """Whatever a model says, host, path and query stay those that were described."""
    world.say(f"create {at(site, answer='')}")
    await world.run("weather_now", place=place)
    (request,) = site.seen
    assert request.raw_path.split("?")[0].count("/") == 3
    assert request.raw_path.endswith("/now?unit=celsius")


@pytest.mark.parametrize("place", ["", ".", ".."])
async def test_no_argument_moves_in_the_path(world: World, site: Site, place: str) -> None:
    """What would mean another folder is refused before anything is asked."""
    world.say(f"create {at(site)}")
    assert (await world.run("weather_now", place=place))[0] == "refused"
    assert site.seen == []


async def test_arguments_are_held_to_the_description(world: World, site: Site) -> None:
    """What is too long, unknown, or not among the choices never leaves, and the model hears which field it was."""
    world.say(f"create {at(site)}")
    for arguments in (
        {"place": "x" * 21},
        {"place": "Bern", "unit": "kelvin"},
        {"place": "Bern", "more": 1},
        {},
    ):
        outcome, text = await world.run("weather_now", **arguments)
        assert outcome == "wrong"
        assert [*arguments, "place"][-1 if not arguments else len(arguments) - 1] in text
    assert site.seen == []


async def test_a_post_carries_what_was_described(world: World, site: Site) -> None:
    """A body is filled in, numbers stay numbers, and text beside a parameter stays text."""
    site.pages["/notes"] = Reply('{"id": 7}', kind="application/json", status=201)
    world.say(f"create {at(site, POST, '/notes')}")
    outcome, text = await world.run("add_note", title='say "hi"', stars=3)
    assert (outcome, json.loads(text)) == ("ok", {"id": 7})
    assert json.loads(site.bodies[0]) == {"title": 'note: say "hi"', "stars": 3, "tags": ["from chat"]}
    assert (site.seen[0].method, site.seen[0].content_type) == ("POST", "application/json")


async def test_a_post_waits_for_a_person_once_there_is_text_from_outside(world: World, site: Site) -> None:
    """What a page or another tool said cannot make a tool of data change anything."""
    world.say(f"create {at(site, POST, '/notes')}")
    beside = world.made.beside(Toolbox(), BEA.caller, BEA.conversation)
    answered = await Calls(world.rules).run(beside, call("add_note", title="x"), BEA, outside=())
    assert (answered.outcome, site.seen) == ("unconfirmed", [])


@pytest.mark.parametrize(
    ("reply", "outcome", "says"),
    [
        (Reply("no", status=500), "failed", "may have changed"),
        (Reply("", status=302, headers={"Location": "/"}), "failed", "may have changed"),
        (Reply("{", kind="application/json", stalls=True), "failed", "may have changed"),
        (Reply("{", kind="application/json", status=201), "ok", "It was done, but"),
        (Reply("[]", kind="application/json", status=202), "ok", "It was done, but"),
    ],
)
async def test_a_post_never_claims_that_nothing_happened(
    site: Site, tmp_path: Path, reply: Reply, outcome: str, says: str
) -> None:
    """When the answer to a change is missing or senseless, the model hears what is certain and what is not."""
    world = World(site, tmp_path, seconds=0.2)
    site.pages["/notes"] = reply
    world.say(f"create {at(site, POST, '/notes', answer='id')}")
    done = await world.run("add_note", title="x")
    assert (done[0], says in done[1]) == (outcome, True)
    world.made.close()
    await world.client.close()


async def test_a_post_that_was_not_sent_changed_nothing(site: Site, tmp_path: Path) -> None:
    """A call that comes too fast is refused before it is sent, and is not told of as if it might have happened."""
    world = World(site, tmp_path, api_calls_a_minute=1)
    site.pages["/notes"] = Reply("{}", kind="application/json")
    world.say(f"create {at(site, POST, '/notes')}")
    assert [(await world.run("add_note", title=str(each)))[0] for each in range(2)] == ["ok", "refused"]
    assert len(site.seen) == 1
    world.made.close()
    await world.client.close()


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_said_the_address_stays_the_one_described(place: str, unit: str) -> None:
    """Host, number of parts of the path and names of the query are the document's, and both values can be read back."""
    parameters = {"place": {"longest": 30}, "unit": {"longest": 30}}
    document = read(with_(GOOD, parameters=parameters))
    try:
        sent = _sent(document, {"place": place, "unit": unit})
    except ToolRefused:
        assert place in {"", ".", ".."} or not (place + unit).isprintable()
        return
    parts = urlsplit(sent.url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "weather.example", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "v1", place, "now"]
    assert parse_qs(parts.query, keep_blank_values=True) == {"unit": [unit]}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply("[]", kind="application/json"), "no now[0].text"),
        (Reply("{", kind="application/json"), "cannot be read"),
        (Reply("[" * 50_000, kind="application/json"), "cannot be read"),
        (Reply("<p>hello</p>"), "is not read"),
        (Reply("hello", kind="text/plain"), "no now[0].text"),
        (Reply("no", status=500), "status 500"),
        (Reply("", status=302, headers={"Location": "http://169.254.169.254/"}), "elsewhere"),
        (Reply("x" * 3000, kind="application/json"), "longer than"),
    ],
)
async def test_an_answer_that_is_none_is_told_to_the_model(
    site: Site, tmp_path: Path, reply: Reply, says: str
) -> None:
    """No redirect is followed, nothing endless or unreadable is handed on, and the reason is one sentence."""
    world = World(site, tmp_path, api_bytes=2000) if "x" in str(reply.body) else World(site, tmp_path)
    site.pages["/v1/Bern/now"] = reply
    world.say(f"create {at(site)}")
    outcome, text = await world.run("weather_now", place="Bern")
    assert outcome == "refused"
    assert says in text
    assert len(site.seen) == 1
    world.made.close()
    await world.client.close()


async def test_an_answer_that_does_not_come_is_given_up(site: Site, tmp_path: Path) -> None:
    """A host that says nothing holds a turn no longer than the rules allow."""
    world = World(site, tmp_path, seconds=0.1)
    site.pages["/v1/Bern/now"] = Reply("{", kind="application/json", stalls=True)
    world.say(f"create {at(site)}")
    outcome, text = await world.run("weather_now", place="Bern")
    assert (outcome, "within 0.1 s" in text) == ("refused", True)
    world.made.close()
    await world.client.close()


async def test_a_host_is_asked_at_a_pace(site: Site, tmp_path: Path) -> None:
    """Whoever asks, a host hears so many calls in a minute; the next is told when it works again."""
    world = World(site, tmp_path, api_calls_a_minute=2)
    world.say(f"create {at(site)}")
    world.say("share weather_now 1", CONSOLE)
    outcomes = [(await world.run("weather_now", who, place="Bern")) for who in (BEA, CAI, BEA)]
    assert [outcome for outcome, _ in outcomes] == ["ok", "ok", "refused"]
    assert "works again in 1 min" in outcomes[2][1]
    world.now += 61
    assert (await world.run("weather_now", place="Bern"))[0] == "ok"
    world.made.close()
    await world.client.close()
