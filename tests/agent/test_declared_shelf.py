"""Tools made of data are their makers' until they are shared, are judged anew whenever that counts, and outlive the process."""

import sqlite3
from contextlib import closing
from pathlib import Path

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.declared.made import Made
from tests.fakes.made_tools import BEA, CAI, DAN, World, at
from tests.fakes.tools import CONSOLE, box, call, echo
from tests.fakes.web_server import Site


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
