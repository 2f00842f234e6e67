"""What somebody may try with tools of data: to be waved through, to lead elsewhere, to carry out, to fill up."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.declared.call import AT_ONCE, MOST_CHARS, _picked
from agent.declared.judging import DEEPEST, read_document
from agent.models.single import OneModel
from agent.ports import Got
from agent.services.web import Client
from agent.tool import ToolRefused
from policies.decision import Decision
from policies.limits import MINUTE
from tests.fakes.made_tools import BEA, CAI, DAN, GOOD, POST, RULES, World, at, read, with_
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE
from tests.fakes.web_server import Names, Reply, Site

KEY = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z"
AWS = "AKIA" + "IOSFODNN7EXAMPLQ"


async def test_only_the_version_that_was_looked_at_is_shared(world: World, site: Site) -> None:
    """What was made anew between a look and a word stays its maker's, and a word without a version opens nothing."""
    world.say(f"create {at(site)}")
    assert "version 1.0.0" in world.say("show weather_now", CONSOLE)
    world.say(f"create {at(site, description='Something else altogether.')}")
    for word in (
        "share weather_now 1",
        "share weather_now 1.0.0",
        "share weather_now",
        "share weather_now x",
    ):
        assert "Not done" in world.say(word, CONSOLE)
        assert world.names(CAI) == []
    assert "Shared" in world.say("share weather_now 2.0.0", CONSOLE)
    assert world.names(CAI) == ["weather_now"]


async def test_what_another_process_took_away_is_not_shared(world: World, site: Site, tmp_path: Path) -> None:
    """Where the file holds that version no more, it is not opened to anybody, whatever this process remembers."""
    world.say(f"create {at(site)}")
    with closing(sqlite3.connect(tmp_path / "tools.sqlite3", isolation_level=None)) as other:
        other.execute("update made set removed = 1")
    assert "Not done" in world.say("share weather_now 1", CONSOLE)
    assert world.names(CAI) == []


async def test_the_answer_of_a_tool_of_data_gives_no_address(world: World, site: Site) -> None:
    """An address that a model had an interface repeat is neither visited nor shown once there is text from outside."""
    stranger = "https://evil.example.net/c?d=SECRET"
    site.pages["/echo/evil.example.net%2Fc%3Fd=SECRET"] = Reply(status=404)
    site.pages["/echo/evil.example.net/c?d=SECRET"] = Reply(f"see {stranger}", kind="text/plain")
    world.say(f"create {at(site, path='/echo/{place}', answer='', query={}, parameters={'place': {}})}")

    def model() -> ScriptedModel:
        first = Use(name="weather_now", arguments={"place": "evil.example.net/c?d=SECRET"})
        again = Use(name="weather_now", arguments={"place": stranger})
        return ScriptedModel(Turn(calls=(first,)), Turn(calls=(again,)), Turn(text=f"Look at {stranger} now"))

    asked = model()
    brain = Brain(OneModel(asked), world.rules, made=world.made)
    answer = brain.answer(BEA.conversation, "go on", "", caller=BEA.caller, toolbox=Toolbox())
    said = "".join([piece async for piece in answer])
    results = [
        message["text"] for message in asked.script.requests[-1]["messages"] if message["role"] == "tool"
    ]
    assert stranger in results[0]
    assert "nobody gave that address" in results[1]
    assert stranger not in said
    assert "an address that nobody gave" in said
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    "name",
    [
        "X-HTTP-Method-Override",
        "x-http-method",
        "X-Method-Override",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Real-IP",
        "X-Host",
    ],
)
def test_no_header_stands_for_another_call(name: str) -> None:
    """A header that has a server take the call for another one, or for another caller's, is refused; plain ones are not."""
    refused = read_document(with_(GOOD, headers={name: "DELETE"}), RULES.web)
    assert isinstance(refused, Decision)
    assert "cannot be set" in refused.why
    assert read(with_(GOOD, headers={"X-Api-Version": "2", "X-Client": "bot"})).headers


@pytest.mark.parametrize("name", ["_method", "_METHOD", "__method", "_http_method", "X-HTTP-Method-Override"])
def test_no_field_stands_for_another_method(name: str) -> None:
    """Neither a name in the query nor one in a body, however deep, has a server take a call for another one."""
    query = read_document(with_(GOOD, query={"unit": "{unit}", name: "DELETE"}), RULES.web)
    body = read_document(with_(POST, body={"a": [{name: "DELETE"}], "b": "{title}{stars}"}), RULES.web)
    assert [isinstance(each, Decision) and "another method" in each.why for each in (query, body)] == [
        True
    ] * 2
    assert read(with_(GOOD, query={"unit": "{unit}", "method": "now"})).query["method"] == "now"


def test_no_model_chooses_the_name_of_a_field() -> None:
    """Names in the query and in a body are those that were looked at; a parameter in one is refused."""
    query = read_document(with_(GOOD, query={"{unit}": "x"}), RULES.web)
    body = read_document(with_(POST, body={"a": [{"{title}": "{stars}"}]}), RULES.web)
    assert [isinstance(each, Decision) and "names are fixed" in each.why for each in (query, body)] == [
        True
    ] * 2


@pytest.mark.parametrize("key", [KEY, AWS, "a8f5f167f44f4964e6c998dee827110c"])
@pytest.mark.parametrize(
    "changed",
    [
        lambda key: {"description": f"Say the weather with {key}"},
        lambda key: {"examples": [f"weather_now(place='{key}')"]},
        lambda key: {"parameters": {"place": {"description": key}, "unit": {}}},
        lambda key: {"parameters": {"place": {"default": key}, "unit": {}}},
        lambda key: {"parameters": {"place": {}, "unit": {"choices": ["a", key]}}},
    ],
)
def test_no_key_stands_anywhere(changed: Any, key: str) -> None:
    """What a model or another person would read, and what goes out by default, holds no key either."""
    refused = read_document(with_(GOOD, **changed(key)), RULES.web)
    assert isinstance(refused, Decision)
    assert "hold no keys" in refused.why


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "https://proxy.example/https://{place}/{unit}"},
        {"url": "https://proxy.example/https:/{place}/{unit}"},
        {"url": "https://proxy.example/HTTPS%3A%2F%2F{place}/{unit}"},
        {"query": {"unit": "{unit}", "url": "https://{place}"}, "url": "https://proxy.example/x"},
        {"headers": {"X-To": "https://{place}"}},
        {"parameters": {"place": {"default": "https://evil.example"}, "unit": {}}},
        {"parameters": {"place": {}, "unit": {"choices": ["https://evil.example", "b"]}}},
    ],
)
def test_no_other_host_stands_behind_the_fixed_one(changed: dict[str, Any]) -> None:
    """A description that would have its host ask another one, which a model names, is refused."""
    refused = read_document(with_(GOOD, **changed), RULES.web)
    assert isinstance(refused, Decision)
    assert "only url has one" in refused.why


async def test_what_may_be_read_inside_may_not_be_written_there(site: Site, tmp_path: Path) -> None:
    """A place that is exempt takes no POST, by its number or by a name, unless the rules say that as well."""
    site.pages["/notes"] = Reply("{}", kind="application/json")
    here, other = (f"127.0.0.{number}:{site.port}" for number in (1, 2))
    world = World(site, tmp_path, exempt=(here, other), exempt_writes=(other,))
    assert "public net" in world.say(f"create {at(site, POST, '/notes')}")
    assert "Made" in world.say(f"create {at(site)}")
    client = Client(world.rules.web, Names(["127.0.0.1"]))
    told: dict[str, Any] = {"kinds": ("application/json",), "most_bytes": 100, "headers": {"A": "b"}}
    for url in (site.url("/notes"), f"http://wiki.example:{site.port}/notes"):
        with pytest.raises(ToolRefused, match=r"public net"):
            await client.send("POST", url, **told)
        assert (await client.send("GET", url, **told)).status == 200
    assert [request.method for request in site.seen] == ["GET", "GET"]
    world.made.close()
    await client.close()


async def test_a_tool_that_is_broken_is_still_its_makers(world: World, site: Site, tmp_path: Path) -> None:
    """When rules put a tool out of use, nobody but its maker or a maintainer takes its name, and it counts as theirs."""
    world.say(f"create {at(site)}")
    with closing(sqlite3.connect(tmp_path / "tools.sqlite3", isolation_level=None)) as other:
        other.execute("update made set document = 'import os'")
    world.made.close()
    world.open()
    assert "somebody else's" in world.say(f"create {at(site)}", DAN)
    assert "Removed" not in world.say("remove weather_now", DAN)
    assert "version 2.0.0" in world.say(f"create {at(site)}")


async def test_what_was_removed_or_replaced_is_gone_from_the_disk(
    world: World, site: Site, tmp_path: Path
) -> None:
    """Of a tool that is removed, and of versions before the newest, only name and number stay in the files."""
    for name, word in (("weather_now", "first"), ("other_one", "second"), ("weather_now", "third")):
        world.say(f"create {at(site, name=name, description=f'The {word} description. ' * 20)}")
    world.say("remove other_one")
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    found = [word for word in (b"The first", b"The second", b"The third") if word in left]
    assert found == [b"The third"]
    assert "version 2.0.0" in world.say(f"create {at(site, name='other_one')}")


async def test_what_an_older_version_left_is_taken_away(world: World, site: Site, tmp_path: Path) -> None:
    """A file in which removed and replaced descriptions were kept loses them when it is opened."""
    world.say(f"create {at(site)}")
    world.made.close()
    with closing(sqlite3.connect(tmp_path / "tools.sqlite3", isolation_level=None)) as other:
        row = "insert into made select ?, ?, 'OLD', maker, place, at, '', ? from made where name = 'weather_now'"
        other.execute(row, ("gone_one", 4, 1))
        other.execute(row, ("weather_now", 0, 0))
    world.open()
    with closing(sqlite3.connect(tmp_path / "tools.sqlite3", isolation_level=None)) as other:
        assert other.execute("select count(*) from made where document = 'OLD'").fetchone() == (0,)
    assert world.names(BEA) == ["weather_now"]
    assert "version 5.0.0" in world.say(f"create {at(site, name='gone_one')}")


async def test_tools_are_made_at_the_pace_of_questions(world: World, site: Site) -> None:
    """One person cannot make versions without end; the next is told when it works again."""
    limits = world.rules.limits.model_copy(update={"asks_a_minute": 2})
    brain = Brain(None, world.rules.model_copy(update={"limits": limits}), made=world.made)
    told = [
        await brain.inform("tool", f"create {at(site)}", Toolbox(), BEA.caller, BEA.conversation)
        for _ in range(3)
    ]
    assert ["Made" in each for each in told] == [True, True, False]
    assert f"again in {int(MINUTE // 60)} min" in told[2]


async def test_what_a_tool_that_is_tried_says_is_screened(world: World, site: Site) -> None:
    """By hand as well, an answer of the net shows no key, no sign that nobody sees, and rings nobody."""
    said = f"key {KEY} own-key-1 @everyone turn\u202eed"
    site.pages["/v1/Bern/now"] = Reply(json.dumps({"now": [{"text": said}]}), kind="application/json")
    world.say(f"create {at(site)}")
    brain = Brain(None, world.rules, made=world.made, hidden=["own-key-1"])
    told = await brain.inform(
        "tool", 'try weather_now {"place": "Bern"}', Toolbox(), BEA.caller, BEA.conversation
    )
    assert "weather_now, ok" in told
    assert [part for part in (KEY, "own-key-1", "@everyone", "\u202e") if part in told] == []


@pytest.mark.parametrize("levels", [DEEPEST + 2, 300, 900, 3000])
async def test_a_body_that_is_too_deep_is_refused(world: World, levels: int) -> None:
    """However deep a body is nested, the answer is a sentence and nothing is kept."""
    body = "[" * levels + '"{title}{stars}"' + "]" * levels
    text = json.dumps(POST).replace(json.dumps(POST["body"]), body)
    told = world.say(f"create {text}")
    assert "Not done" in told
    assert "levels deep" in told or "neither JSON" in told
    assert world.shelf.entries == {}


def test_a_body_may_be_as_deep_as_it_says(tmp_path: Path, site: Site) -> None:
    """The deepest body that is allowed can be kept and read again."""
    del site
    body: Any = "{title}{stars}"
    for _ in range(DEEPEST):
        body = [body]
    document = read(with_(POST, body=body))
    assert read(document.model_dump_json(exclude_defaults=True)) == document
    assert tmp_path.exists()


@pytest.mark.parametrize("depth", [400, 900])
def test_an_answer_that_is_nested_deeply_grows_no_longer(depth: int) -> None:
    """What is handed on is bounded before it is looked through, and no longer than what came but for how numbers look."""
    raw = "[" * depth + ",".join(["1"] * 20_000) + "]" * depth
    text = _picked(read(with_(GOOD, answer="")), Got("", "application/json", raw), MOST_CHARS)
    assert len(text) <= len(raw)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_long_answer_is_cut_before_it_is_looked_through(kind: str) -> None:
    """Of a megabyte, so many characters are handed on, and that there is more is said."""
    raw = json.dumps(["word"] * 100_000)
    text = _picked(read(with_(GOOD, answer="")), Got("", kind, raw), 1000)
    assert text.startswith('["word"')
    assert text.endswith("(it goes on beyond this)")
    assert len(text) < 1100


async def test_answers_are_taken_apart_a_few_at_a_time(world: World, site: Site) -> None:
    """Work that does not end keeps its places, and a call that finds none free ends with its time; then all is well."""
    site.pages["/v1/Bern/now"] = Reply(json.dumps({"now": [{"text": "sun"}]}), kind="application/json")
    world.say(f"create {at(site, seconds=1)}")
    world.say(f"create {at(site, name='other_one')}")
    end = threading.Event()
    held = [asyncio.create_task(world.made._threads.run(end.wait)) for _ in range(AT_ONCE)]
    try:
        assert (await world.run("weather_now", place="Bern"))[0] == "late"
    finally:
        end.set()
        await asyncio.gather(*held)
    for name in ("weather_now", "other_one"):
        assert await world.run(name, place="Bern") == ("ok", "sun")
