"""Limits and costs: set aside before, booked after, one kind refusal, and nothing is asked when it is over."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.ports import ProviderFailed
from agent.records.accounts import Accounts
from agent.records.turns import Turns
from agent.tool import Manifest
from agent.types import Usage
from policies.access import level_of, tools_allowed
from policies.limits import DAY, Spent, community_of, over_budget, too_often
from policies.load import Quota, RoleRules, RulesProblem, load_rules
from tests.agent.budgets import NOON, PRICES, RULES, rules_with, said
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE, HERE, box, call, echo


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 4)), max_size=8))
def test_budgets_are_never_passed(wishes: list[tuple[int, float]]) -> None:
    """Whatever is wished for in turn, what was allowed stays within the budget, and the first wish too many is named."""
    quotas, spent = {"you": Quota(tokens=1000, dollars=10)}, Spent()
    for tokens, dollars in wishes:
        over = over_budget(Spent(tokens, dollars), {"you": spent}, quotas, NOON)
        if over is None:
            spent = spent.plus(Spent(tokens, dollars))
        else:
            assert over.again == DAY * 101
            assert "12 h 0 min" in over.told(NOON)
    assert spent.tokens <= 1000
    assert spent.dollars <= 10


@given(st.lists(st.integers(0, 300), max_size=30))
def test_nobody_asks_more_often_than_allowed(times: list[int]) -> None:
    """In no minute are there more questions than allowed, and at the time that is named the next one is let through."""
    asked: list[float] = []
    for now in sorted(times):
        over = too_often(asked, 3, now)
        if over is None:
            asked.append(now)
            assert len([at for at in asked if at > now - 60]) <= 3
        else:
            assert over.again > now
            assert too_often(asked, 3, over.again) is None


def test_who_is_trusted_how_far() -> None:
    """The console and maintainers may all, those listed more than others, and nobody is trusted by what they are called."""
    rules = rules_with(tools={"trusted": ("discord:8",)})
    assert level_of("console:ann", rules) == "maintainer"
    assert level_of("discord:8", rules) == "trusted"
    assert [level_of(who, rules) for who in ("discord:7", "", "discord:console:ann")] == ["everyone"] * 3


@pytest.mark.parametrize(
    ("enabled", "setting", "caller", "may"),
    [
        (True, None, "discord:7", True),
        (True, False, "discord:7", False),
        (False, None, "discord:7", False),
        (False, None, "discord:1", True),
        (True, False, "discord:1", True),
        (False, True, "discord:7", True),
    ],
)
def test_tools_can_be_switched_off_but_for_first_users(
    caller: str, *, setting: bool | None, enabled: bool, may: bool
) -> None:
    """The operator's setting beats the rules, and those who are listed may use tools while they are off."""
    rules = rules_with(tools={"enabled": enabled, "first_users": ("discord:1",)})
    assert tools_allowed(caller, rules, enabled=setting).allowed == may


async def test_a_question_is_booked_at_what_it_cost() -> None:
    """What was set aside is given back, and the provider's count is booked for the person, the place and all."""
    brain = Brain(OneModel(ScriptedModel(Turn(text="hello"), prices=PRICES)), rules_with())
    await said(brain)
    booked = brain.accounts.today(brain.accounts.purse("discord:7", "here"))
    assert [(name, spent.tokens) for name, spent, _ in booked] == [
        ("you", 120),
        ("this place", 120),
        ("all of us together", 120),
    ]
    assert booked[0][1].dollars == pytest.approx(0.0004)


@pytest.mark.parametrize("whose", ["everyone", "place", "all"])
async def test_nothing_is_asked_when_a_budget_is_used_up(whose: str) -> None:
    """Each budget alone ends it: the answer says when it works again, no model hears of it, and it is not remembered."""
    model = ScriptedModel(Turn(text="never", times=0))
    quota = Quota(tokens=100, dollars=100)
    brain = Brain(OneModel(model), rules_with({whose: quota}), clock=lambda: NOON)
    assert "works again in 12 h 0 min" in await said(brain)
    assert model.script.requests == []


async def test_money_is_a_budget_as_well() -> None:
    """Where tokens are left but no dollars, nothing is asked."""
    model = ScriptedModel(Turn(text="never", times=0))
    brain = Brain(OneModel(model), rules_with({"everyone": Quota(tokens=10**9, dollars=0.01)}))
    assert "used up for you" in await said(brain)
    assert model.script.requests == []


async def test_the_next_question_too_many_in_a_minute_is_told_so() -> None:
    """One user's pace does not slow another down, and a minute later it works again."""
    now = [NOON]
    model = ScriptedModel(Turn(text="yes", times=0))
    brain = Brain(OneModel(model), rules_with({"asks_a_minute": 2}), clock=lambda: now[0])
    answers = [await said(brain) for _ in range(3)]
    assert answers[:2] == ["yes", "yes"]
    assert "works again in 1 min" in answers[2]
    assert await said(brain, caller="discord:8") == "yes"
    now[0] += 61
    assert await said(brain) == "yes"
    assert len(model.script.requests) == 4


async def test_what_was_spent_is_not_forgotten_by_a_restart(turns: Turns) -> None:
    """A new process knows what was spent today, and the next day begins with nothing."""
    now = [NOON]
    first = Accounts(RULES, turns, lambda: now[0])
    purse = first.purse("discord:7", "here")
    assert first.reserve(purse, Spent(500, 0.5)) is None
    first.settle(purse, Spent(500, 0.5), Spent(200, 0.25))
    again = Accounts(RULES, turns, lambda: now[0])
    assert [spent for _, spent, _ in again.today(purse)] == [Spent(200, 0.25)] * 3
    now[0] += DAY
    assert [spent for _, spent, _ in again.today(purse)] == [Spent()] * 3


async def test_what_is_under_way_counts_as_spent() -> None:
    """Two questions at once cannot both use the last of a budget."""
    accounts = Accounts(rules_with({"everyone": Quota(tokens=1000, dollars=100)}))
    purse = accounts.purse("discord:7", "here")
    assert accounts.reserve(purse, Spent(600)) is None
    assert accounts.reserve(purse, Spent(600)) is not None
    accounts.settle(purse, Spent(600), Spent(100))
    assert accounts.reserve(purse, Spent(600)) is None


async def test_what_is_under_way_is_not_called_used_up() -> None:
    """Where only what is under way is in the way, people hear that it works again in a moment, not tomorrow."""
    accounts = Accounts(rules_with({"everyone": Quota(tokens=1000, dollars=100)}), clock=lambda: NOON)
    purse = accounts.purse("discord:7", "here")
    accounts.reserve(purse, Spent(600))
    over = accounts.reserve(purse, Spent(600))
    assert over is not None
    assert "again in a moment" in over.told(NOON)
    accounts.settle(purse, Spent(600), Spent(600))
    over = accounts.reserve(purse, Spent(600))
    assert over is not None
    assert "again in 12 h" in over.told(NOON)


async def test_a_question_that_nobody_answered_costs_nothing() -> None:
    """However often a provider is down, the day's budget is there when it is back."""
    model = ScriptedModel(*[Turn(status=500)] * 30, Turn(text="back"), prices=PRICES)
    brain = Brain(OneModel(model), rules_with({"asks_a_minute": 100}))
    for _ in range(30):
        with pytest.raises(ProviderFailed):
            await said(brain)
    assert await said(brain) == "back"


async def test_without_leave_a_model_is_offered_no_tools() -> None:
    """While tools are off, none is offered, and a call that comes all the same finds none."""
    model = ScriptedModel(Turn(calls=(Use(name="echo"),)), Turn(text="ok", times=0))
    brain = Brain(OneModel(model), rules_with(), tools_on=False)
    assert await said(brain) == "ok"
    assert model.script.requests[0]["tools"] == []
    assert "no such tool" in model.script.requests[1]["messages"][-1]["text"]


@pytest.mark.parametrize(
    ("place", "community"),
    [
        ("discord:1/2", "discord:1"),
        ("discord:1/2/3", "discord:1"),
        ("discord:2", ""),
        ("console", ""),
        ("", ""),
    ],
)
def test_a_place_may_belong_to_a_community(place: str, community: str) -> None:
    """The channels of one server share its name; direct messages and the console stand alone."""
    assert community_of(place) == community


async def test_a_community_has_a_budget_over_all_its_places() -> None:
    """What one channel spent counts for the next of the same server, for no other server, and not for direct messages."""
    model = ScriptedModel(Turn(text="yes", times=0))
    room = Quota(tokens=8_400, dollars=100)
    brain = Brain(OneModel(model), rules_with({"community": room}), clock=lambda: NOON)
    assert await said(brain, place="discord:1/2") == "yes"
    assert await said(brain, place="discord:1/2") == "yes"
    refused = await said(brain, place="discord:1/3", caller="discord:8")
    assert "used up for this server" in refused
    assert "works again in 12 h" in refused
    assert await said(brain, place="discord:9/3") == "yes"
    assert await said(brain, place="discord:3") == "yes"
    assert len(model.script.requests) == 4


async def test_a_role_has_budgets_of_its_own() -> None:
    """Each of a role may spend what the role allows where that is more, and all of them together no more than that."""
    patrons = RoleRules(
        members=("discord:8", "discord:9"),
        each=Quota(tokens=20_000, dollars=100),
        together=Quota(tokens=8_600, dollars=100),
    )
    rules = rules_with({"everyone": Quota(tokens=100, dollars=100), "roles": {"patrons": patrons}})
    model = ScriptedModel(Turn(text="yes", times=0))
    brain = Brain(OneModel(model), rules, clock=lambda: NOON)
    assert "used up for you" in await said(brain, caller="discord:7")
    for _ in range(3):
        assert await said(brain, caller="discord:8") == "yes"
    assert "used up for all patrons" in await said(brain, caller="discord:9")
    assert len(model.script.requests) == 3


async def test_a_tool_may_be_used_so_often_by_one_person(turns: Turns) -> None:
    """Rules and tool bound it, the less counts; a restart forgets nothing, another person and another day begin anew."""
    now = [time.time()]
    rules = rules_with(tools={"each_a_day": {"echo": 2}})
    tools = box(echo, echo=Manifest(calls_a_day=5))

    async def outcomes(who: Place, number: int) -> list[str]:
        calls = Calls(rules, None, turns.note, lambda: now[0], turns.used_on)
        return [(await calls.run(tools, call("echo", text=str(each)), who)).outcome for each in range(number)]

    assert await outcomes(HERE, 1) == ["ok"]
    assert await outcomes(HERE, 2) == ["ok", "denied"]
    assert await outcomes(CONSOLE, 1) == ["ok"]
    now[0] += DAY
    assert await outcomes(HERE, 1) == ["ok"]
    told = await Calls(rules, before=lambda *_: 2).run(tools, call("echo"), HERE)
    assert "used 2 times today" in told.text
    assert "works again in" in told.text


@pytest.mark.parametrize("kept", [True, False])
def test_a_clock_that_is_set_back_gives_nobody_a_new_budget(turns: Turns, *, kept: bool) -> None:
    """Over midnight, back, and over it again: what was spent on each of both days still counts, with a file or without."""
    now = [DAY * 101 + 5]
    accounts = Accounts(RULES, turns if kept else None, lambda: now[0])
    purse = accounts.purse("discord:7", "here")
    for moment, spent in ((101, 300), (100, 50)):
        now[0] = moment * DAY + 5
        assert accounts.reserve(purse, Spent(spent)) is None
        accounts.settle(purse, Spent(spent), Spent(spent))
    for moment, spent in ((101, 300), (100, 50), (101, 300), (40, 0), (101, 300)):
        now[0] = moment * DAY + 5
        assert accounts.today(purse)[0][1].tokens == spent


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("limits", "asks_a_minute = 0"),
        ("web", "api_calls_a_minute = 0"),
        ("services", "process_memory_mb = 0"),
    ],
)
def test_a_limit_that_allows_nothing_is_no_limit(tmp_path: Path, section: str, line: str) -> None:
    """A number with which nothing could be asked, or the bot could not start, is refused by its name when rules are read."""
    over = tmp_path / "rules.toml"
    over.write_text(f"[{section}]\n{line}\n")
    with pytest.raises(RulesProblem, match=line.partition(" ")[0]):
        load_rules(over)


@pytest.mark.parametrize("count", [2**63, 10**30, -5, -(2**70)])
async def test_a_count_that_makes_no_sense_is_none(turns: Turns, count: int) -> None:
    """What a server says it counted neither fills a budget for ever, nor makes room in it, nor ends the chat."""
    usage = Usage(input=count, output=20)
    assert (usage.input, usage.output) == (0, 0)
    model = ScriptedModel(Turn(text="yes", times=0, input_tokens=count), prices=PRICES)
    brain = Brain(OneModel(model), rules_with(), turns=turns)
    assert await said(brain) == "yes"
    (kept,) = turns.newest("here", 10)
    assert 0 < kept.tokens < RULES.tools.turn_tokens
    assert brain.accounts._held == {}
