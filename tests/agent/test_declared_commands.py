"""What people say to make, see and try a tool of data."""

import json
from typing import Any, cast

import pytest

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import SERVICES, BadTool, Toolbox
from agent.chat.brain import Brain
from agent.declared.call import tool_of
from agent.declared.shelf import Entry
from agent.ports import Api, Got, Sent
from agent.services.lend import API
from agent.tool import Manifest, Service, ToolRefused
from policies.load import Quota
from tests.fakes.made_tools import BEA, CAI, GOOD, RULES, World, at, read, with_
from tests.fakes.tools import box, call, echo
from tests.fakes.web_server import Site


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
