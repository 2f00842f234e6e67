"""Tools that people make of data: judged before they are kept, offered to whom they may be, and calls of the net only."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calling.executor import Calls, Place
from agent.calling.toolbox import SERVICES, BadTool, Toolbox
from agent.chat.brain import Brain
from agent.declared.call import _sent, tool_of
from agent.declared.document import TEMPLATE, Document
from agent.declared.judging import LONGEST, read_document
from agent.declared.made import Made
from agent.declared.shelf import Entry
from agent.models.single import OneModel
from agent.ports import Api, Got, Sent
from agent.services.lend import API
from agent.tool import Manifest, Service, ToolRefused
from policies.decision import Decision
from policies.load import Quota
from tests.fakes.made_tools import BEA, CAI, DAN, GOOD, POST, RULES, World, at, read, with_
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE, box, call, echo
from tests.fakes.web_server import Reply, Site, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A small web."""
    async with serving() as opened:
        opened.pages["/v1/Bern/now"] = Reply(
            json.dumps({"now": [{"text": "sun"}, {"text": "rain"}]}), kind="application/json"
        )
        yield opened


@pytest.fixture
async def world(site: Site, tmp_path: Path) -> AsyncIterator[World]:
    """All of it."""
    opened = World(site, tmp_path)
    yield opened
    opened.made.close()
    await opened.client.close()


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


async def test_only_the_trusted_make_tools(world: World, site: Site) -> None:
    """Somebody whom nobody trusts makes none, and nothing is kept of the try."""
    assert "whom the operator trusts" in world.say(f"create {at(site)}", CAI)
    assert world.shelf.entries == {}


async def test_a_tool_is_its_makers_until_a_maintainer_shares_it(world: World, site: Site) -> None:
    """Nobody else's model reads what no maintainer looked at: neither another person's, nor elsewhere."""
    world.say(f"create {at(site)}")
    elsewhere = Place(BEA.caller, "discord:1/3")
    assert world.names(BEA) == ["weather_now"]
    assert [world.names(who) for who in (CAI, DAN, elsewhere, CONSOLE)] == [[]] * 4
    assert "only maintainers" in world.say("share weather_now 1")
    assert "Shared" in world.say("share weather_now 1", CONSOLE)
    assert [world.names(who) for who in (BEA, CAI, DAN, elsewhere, CONSOLE)] == [["weather_now"]] * 5


async def test_nobody_sees_or_removes_what_is_not_theirs(world: World, site: Site) -> None:
    """A tool that is not shared stands in its maker's and maintainers' lists alone; once shared all see it, few remove it."""
    world.say(f"create {at(site)}")
    assert ["weather_now" in world.say("list", who) for who in (BEA, DAN, CONSOLE)] == [True, False, True]
    world.say("share weather_now 1", CONSOLE)
    assert "weather_now" in world.say("list", DAN)
    assert "made by somebody else" in world.say("remove weather_now", DAN)
    assert world.names(DAN) == ["weather_now"]
    assert "Removed" in world.say("remove weather_now")


async def test_permission_and_cache_are_those_of_the_description(world: World, site: Site) -> None:
    """A shared tool for maintainers is offered to nobody else, and an answer that stays good is not asked for twice."""
    world.say(f"create {at(site, permission='maintainer', cache_seconds=60)}")
    world.say("share weather_now 1", CONSOLE)
    assert [world.names(who) for who in (BEA, CONSOLE)] == [[], ["weather_now"]]
    beside = world.made.beside(Toolbox(), CONSOLE.caller, CONSOLE.conversation)
    calls = Calls(world.rules)
    outcomes = [
        (await calls.run(beside, call("weather_now", place="Bern"), CONSOLE)).outcome for _ in range(2)
    ]
    assert (outcomes, len(site.seen)) == (["ok", "cached"], 1)


async def test_values_are_written_as_the_net_writes_them(world: World, site: Site) -> None:
    """Yes and no, whole and broken numbers stand in a query as programs expect them."""
    parameters = {"place": {}, "yes": {"type": "boolean"}, "many": {"type": "number"}}
    query = {"yes": "{yes}", "many": "{many}"}
    world.say(f"create {at(site, parameters=parameters, query=query)}")
    await world.run("weather_now", place="Bern", yes=True, many=0.5)
    assert dict(site.seen[0].query) == {"yes": "true", "many": "0.5"}


async def test_a_new_version_has_to_be_shared_anew(world: World, site: Site) -> None:
    """What a maintainer looked at cannot be changed behind their back."""
    world.say(f"create {at(site)}")
    world.say("share weather_now 1", CONSOLE)
    assert "version 2.0.0" in world.say(f"create {at(site, description='Something else altogether.')}")
    assert (world.names(BEA), world.names(CAI)) == (["weather_now"], [])


async def test_a_new_version_takes_the_place_of_the_old(world: World, site: Site) -> None:
    """What is made anew is what is called from then on, and a turn that was offered the old one does not run that."""
    world.say(f"create {at(site)}")
    listed = world.made.beside(Toolbox(), BEA.caller, BEA.conversation)
    world.say(f"create {at(site, answer='now[1].text')}")
    assert await world.run("weather_now", place="Bern") == ("ok", "rain")
    answered = await Calls(world.rules).run(listed, call("weather_now", place="Bern"), BEA)
    assert (answered.outcome, "made anew" in answered.text, len(site.seen)) == ("refused", True, 1)


async def test_permission_is_asked_again_when_it_runs(world: World, site: Site) -> None:
    """A tool that was removed after it was listed is not called any more."""
    world.say(f"create {at(site)}")
    listed = world.made.beside(Toolbox(), BEA.caller, BEA.conversation)
    world.say("remove weather_now")
    answered = await Calls(world.rules).run(listed, call("weather_now", place="Bern"), BEA)
    assert (answered.outcome, site.seen) == ("refused", [])


async def test_somebody_who_is_trusted_no_longer_has_no_tools_of_their_own(world: World, site: Site) -> None:
    """What a maintainer did not share goes with the trust in its maker."""
    world.say(f"create {at(site)}")
    tools = world.rules.tools.model_copy(update={"trusted": ()})
    later = Made(world.shelf, world.rules.model_copy(update={"tools": tools}), world.api)
    assert later.beside(Toolbox(), BEA.caller, BEA.conversation).tools == {}


async def test_a_name_that_is_taken_is_refused(world: World, site: Site) -> None:
    """Neither a tool of the bot nor another person's can be replaced; a maintainer may."""
    assert "comes with the bot" in world.say(f"create {at(site, name='echo')}", toolbox=box(echo))
    world.say(f"create {at(site)}", CONSOLE)
    assert "somebody else's" in world.say(f"create {at(site)}")
    world.say(f"create {at(site, name='mine_now')}")
    assert "Made: mine_now, version 2.0.0" in world.say(f"create {at(site, name='mine_now')}", CONSOLE)


async def test_a_tool_of_the_bot_goes_before_one_of_data(world: World, site: Site) -> None:
    """When a proposal brings a tool of the same name, that one answers, and the list says so."""
    world.say(f"create {at(site, name='echo')}")
    beside = world.made.beside(box(echo), BEA.caller, BEA.conversation)
    assert beside.tools == box(echo).tools or beside.tools["echo"].path == "agent/live/tools/echo.py"
    assert "has this name now" in world.say("list", toolbox=box(echo))


async def test_tools_outlive_the_process(world: World, site: Site) -> None:
    """A new process offers what was made and shared before, with the same version; what was removed stays so."""
    world.say(f"create {at(site)}")
    world.say(f"create {at(site, name='other_one')}")
    world.say("share weather_now 1", CONSOLE)
    world.say("remove other_one")
    before = world.shelf.entries
    world.made.close()
    world.open()
    assert world.shelf.entries == before
    assert await world.run("weather_now", CAI, place="Bern") == ("ok", "sun")
    assert "version 2.0.0" in world.say(f"create {at(site, name='other_one')}")


async def test_what_is_kept_is_judged_again(world: World, site: Site, tmp_path: Path) -> None:
    """A host that the rules forbid since, or a row that was tampered with, is offered no more, and maintainers see why."""
    world.say(f"create {at(site)}")
    world.made.close()
    world.rules = world.rules.model_copy(
        update={"web": world.rules.web.model_copy(update={"blocked_hosts": ("127.0.0.1",)})}
    )
    world.open()
    assert world.names(BEA) == []
    assert "do not allow 127.0.0.1" in world.say("list", CONSOLE)
    with closing(sqlite3.connect(tmp_path / "tools.sqlite3", isolation_level=None)) as other:
        other.execute("update made set document = 'import os'")
    world.made.close()
    world.open()
    assert "neither JSON nor TOML" in world.say("list", CONSOLE)
    assert "Removed" in world.say("remove weather_now", CONSOLE)


async def test_one_person_makes_so_many(world: World, site: Site) -> None:
    """The rules bound how many tools one person has at a time; removing one makes room."""
    most = world.rules.tools.made_by_one
    for number in range(most):
        assert "Made" in world.say(f"create {at(site, name=f'tool_{number}')}")
    assert "remove one first" in world.say(f"create {at(site, name='one_more')}")
    world.say("remove tool_0")
    assert "Made" in world.say(f"create {at(site, name='one_more')}")


@pytest.mark.parametrize(
    "form",
    [
        "create {json}",
        "create what_day {json}",
        "create   what_day\n{json}",
        'create name = "what_day"\n{toml}',
        "create what_day {toml}",
        "create what_day\n{toml}",
        "create ```json\n{json}\n```",
        "create what_day\n```toml\n{toml}\n```",
        "create what_day ```{json}```",
        "create\n```\n{json}\n```",
    ],
)
async def test_a_name_may_stand_before_a_description(world: World, site: Site, form: str) -> None:
    """JSON or TOML, fenced or not, with the name in it or in front, on the same line or above: it is the same tool."""
    url = site.url("/today")
    json_text = json.dumps({"name": "what_day", "description": "Say what day it is.", "url": url})
    toml_text = f'description = "Say what day it is."\nurl = "{url}"'
    said = world.say(form.replace("{json}", json_text).replace("{toml}", toml_text))
    assert "Made: what_day, version 1.0.0" in said


async def test_what_is_tried_by_hand_is_paid_for(world: World) -> None:
    """A tool with a price comes out of the day's budget, and is not run when that is used up."""
    quota = Quota(tokens=100, dollars=0.5)
    rules = world.rules.model_copy(
        update={"limits": world.rules.limits.model_copy(update={"everyone": quota})}
    )
    brain, who = Brain(None, rules, made=world.made), (CAI.caller, CAI.conversation)
    tools = box(echo, echo=Manifest(cost=0.3))
    assert "echo, ok" in await brain.inform("tool", "try echo", tools, *who)
    assert brain.accounts.today(brain.accounts.purse(*who))[0][1].dollars == pytest.approx(0.3)
    assert "used up for you" in await brain.inform("tool", "try echo", tools, *who)


async def test_trying_by_hand_counts_as_asking(world: World) -> None:
    """The pace at which somebody may ask holds for tools that are tried as well."""
    limits = world.rules.limits.model_copy(update={"asks_a_minute": 1})
    brain = Brain(None, world.rules.model_copy(update={"limits": limits}), made=world.made)
    said = [await brain.inform("tool", "try echo", box(echo), *_who(CAI)) for _ in range(2)]
    assert "echo, ok" in said[0]
    assert "works again in 1 min" in said[1]


async def test_words_are_sent_to_improve(world: World) -> None:
    """Who asks for a tool in words hears how a description looks, and how to ask for one that needs code."""
    told = world.say("create a tool that plays chess")
    assert "/tool template" in told
    assert "/improve" in told
    assert all(word in world.say("") for word in ("create", "list", "show", "try", "share", "remove"))


async def test_what_is_shown_of_a_tool_is_its_description(world: World, site: Site) -> None:
    """`/tool show` gives back what can be made again, to those who may see it."""
    world.say(f"create {at(site)}")
    shown = world.say("show weather_now")
    assert json.loads(shown.partition("\n")[2]) == json.loads(at(site))
    assert "no tool" in world.say("show weather_now", CAI)


async def test_a_tool_can_be_tried_by_hand(world: World, site: Site) -> None:
    """`/tool try` runs a tool with what somebody types, through the same checks, and says what came of it."""
    brain = Brain(None, world.rules, made=world.made)
    world.say(f"create {at(site)}")
    told = await brain.inform("tool", 'try weather_now {"place": "Bern"}', Toolbox(), *_who(BEA))
    assert "ok" in told
    assert told.endswith("sun")
    assert "sun" in await brain.inform("tool", 'try\nweather_now\n{"place": "Bern"}', Toolbox(), *_who(BEA))
    assert "wrong" in await brain.inform("tool", "try weather_now {", Toolbox(), *_who(BEA))
    assert "no tool" in await brain.inform("tool", "try weather_now {}", Toolbox(), *_who(CAI))
    off = Brain(None, world.rules, made=world.made, tools_on=False)
    assert "no tool" in await off.inform("tool", "try weather_now {}", Toolbox(), *_who(BEA))


def _who(place: Place) -> tuple[str, str]:
    return place.caller, place.conversation


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", {"a": [{"b": 1}, {"b": 2}], "c": "text"}),
        ("a", [{"b": 1}, {"b": 2}]),
        ("a[1].b", 2),
        ("a[*].b", [1, 2]),
        ("c", "text"),
    ],
)
async def test_a_path_picks_its_part(path: str, found: Any) -> None:
    """Names, places in lists, and every one of a list."""

    class Still:
        async def send(self, _sent: Sent) -> Got:
            """One answer to all."""
            return Got("", "application/json", json.dumps({"a": [{"b": 1}, {"b": 2}], "c": "text"}))

    async def still() -> Api:
        return Still()

    document = read(with_(GOOD, answer=path))
    tool = tool_of(Entry(document, 1, "", "", 0.0), still, lambda *_: "")
    answered = await Calls(RULES).run(Toolbox({tool.name: tool}), call(tool.name, place="x"), BEA)
    assert answered.text == (found if isinstance(found, str) else json.dumps(found, separators=(",", ":")))


def test_a_tool_that_is_too_much_for_one_person_is_bounded_by_its_maker() -> None:
    """How often one person may use it in a day stands in its description."""
    document = read(with_(GOOD, calls_a_day=3))

    async def nowhere() -> Api:
        raise ToolRefused("nowhere")

    tool = tool_of(Entry(document, 1, "", "", 0.0), nowhere, lambda *_: "")
    assert Calls(RULES).most_a_day(tool) == 3


def test_live_code_cannot_name_that_way_to_the_net() -> None:
    """No tool of a generation is lent what tools of data use: a manifest that names it is refused."""
    assert API not in SERVICES
    with pytest.raises(BadTool, match="uses api"):
        box(echo, echo=Manifest(uses=cast("tuple[Service, ...]", (API,))))
