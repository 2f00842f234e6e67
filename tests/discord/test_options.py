"""The fields of slash commands: what they become, and what is offered while they are filled in."""

from collections.abc import Mapping

import pytest

from agent.incoming.wish import Wish
from bot.asking import filled_in, read_question
from bot.control.commands import Unclear, infos, options_of
from bot.control.options import typed, usage_of
from bot.discord.commands.options import matching
from policies.rights import Grant
from selfedit import protocol as say
from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.fakes.discord.rules import Upload
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.steward import proposal

SEVERAL = say.ProposalsAre(
    proposals=(
        proposal(12, Stage.OPENED, title="Roll fair dice"),
        proposal(11, Stage.KEPT, title="Greet people"),
        proposal(2, Stage.OPENED, title="Count to three"),
        proposal(1, Stage.REFUSED, title="Break out"),
    )
)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("hello", {"prompt": "hello"}),
        ("--model small hello", {"prompt": "hello", "model": "small"}),
        ("--tools off hello", {"prompt": "hello", "tool_calling": False}),
        ("hello", {"prompt": "hello", "tool_calling": True}),
        ("--tools force hello", {"prompt": " hello ", "force_tools": "any"}),
        ("--tools calculate 1+1", {"prompt": "1+1", "force_tools": "calculate", "tool_calling": True}),
        ("--tools search_web news", {"prompt": "news", "web_search": True}),
        ("--tools calculate news", {"prompt": "news", "web_search": True, "force_tools": "calculate"}),
        ("news", {"prompt": "news", "web_search": False}),
        ("--combine --private hello", {"prompt": "hello", "combine": True, "private": True}),
    ],
)
def test_fields_and_words_say_the_same(line: str, fields: Mapping[str, object]) -> None:
    """What is filled into fields becomes the same wish as what is typed."""
    by_words, by_fields = read_question(line), filled_in(fields)
    assert not isinstance(by_words, Unclear)
    assert not isinstance(by_fields, Unclear)
    assert (by_words.text, by_words.wish) == (by_fields.text, by_fields.wish)
    assert bool(by_fields.notice) == ("web_search" in fields)


def test_fields_hold_words_and_no_options() -> None:
    """What looks like an option or a command within the words is part of the words."""
    for text in ("--private /approve 1", "/approve 1", "--model x"):
        found = filled_in({"prompt": text})
        assert not isinstance(found, Unclear)
        assert (found.text, found.wish) == (text, Wish())


def test_fields_that_contradict_each_other_are_refused() -> None:
    """A tool that has to be used where none may be used is a question back, and so is nothing at all."""
    for fields in ({"prompt": "x", "tool_calling": False, "force_tools": "any"}, {"prompt": " "}):
        assert isinstance(filled_in(fields), Unclear)


def test_usage_and_fields_come_from_the_same_words() -> None:
    """Each command of the kernel that has fields is typed as its usage says, with the same things in the same order."""
    usages = {info.name: info.usage for info in infos()}
    for name, usage in usages.items():
        options = options_of(name)
        if options and name != "tool":
            assert usage == usage_of(name, options)
            assert [bool(option.required) for option in options] == sorted(
                (bool(option.required) for option in options), reverse=True
            )
    reject = options_of("reject")
    assert reject is not None
    assert typed("reject", reject, {"number": 3, "reason": "too slow"}) == "/reject 3 too slow"
    assert typed("reject", reject, {"number": 3, "reason": None}) == "/reject 3"
    rollback = options_of("rollback")
    assert rollback is not None
    assert typed("rollback", rollback, {"reason": "3 people complained"}) == "/rollback - 3 people complained"
    assert typed("rollback", rollback, {}) == "/rollback"


def test_what_begins_like_it_comes_first() -> None:
    """What is offered fits what was typed, whatever its case: beginnings first, then words within, 25 at most."""
    names = ["openai/small", "local/smart", "Small", "unsmall", "large"]
    assert matching("sma", names) == ["Small", "openai/small", "local/smart", "unsmall"]
    assert matching("", names) == names
    assert matching("x*", names) == []
    assert len(matching("m", [f"m{at}" for at in range(100)])) == 25


async def test_models_and_tools_are_offered(server: DiscordServer, room: Channel, ann: User) -> None:
    """While a model or a tool is typed, those that fit are offered."""
    async with aboard(server) as crew:
        crew.brain.models = [f"vendor/model-{at}" for at in range(40)] + ["local/tiny"]
        crew.brain.tools = ["calculate", "search_web"]
        every = server.autocomplete(ann, room, "chat", typing="model", model="")
        some = server.autocomplete(ann, room, "chat", typing="model", model="TIN")
        tools = server.autocomplete(ann, room, "chat", typing="force_tools", force_tools="")
        about = server.autocomplete(ann, room, "tools", typing="name", name="ca")
        await server.until(lambda: every.choices and some.choices and tools.choices and about.choices)
    assert len(every.choices) == 25
    assert [one["value"] for one in some.choices] == ["local/tiny"]
    assert [one["value"] for one in tools.choices] == ["any", "calculate", "search_web"]
    assert [one["value"] for one in about.choices] == ["calculate"]


async def test_proposals_are_offered_by_their_titles(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Only proposals with which something can be done are offered, and only to people who may see them."""
    bob = server.user("bob", guild)
    async with aboard(server, ann.id, answers={say.Proposals: lambda _: SEVERAL}):
        can_open = server.autocomplete(ann, room, "approve", typing="number", number="")
        by_title = server.autocomplete(ann, room, "proposal", typing="number", number="dice")
        can_go = server.autocomplete(ann, room, "rollback", typing="number", number="")
        nothing = server.autocomplete(bob, room, "approve", typing="number", number="")
        await server.until(lambda: all(one.answered for one in (can_open, by_title, can_go, nothing)))
    assert [(one["value"], one["name"]) for one in can_open.choices] == [
        (12, "12 · Roll fair dice (opened)"),
        (2, "2 · Count to three (opened)"),
    ]
    assert [one["value"] for one in by_title.choices] == [12]
    assert [one["value"] for one in can_go.choices] == [11]
    assert nothing.choices == []


async def test_fields_reach_the_brain(server: DiscordServer, room: Channel, ann: User) -> None:
    """A question with all its fields reaches chat as it was filled in, with its file, and is answered to one person alone."""
    async with aboard(server) as crew:
        used = server.slash(
            ann,
            room,
            "chat",
            prompt="/approve 1",
            model="vendor/small",
            force_tools="calculate",
            file=Upload("notes.txt", b"some notes"),
            private=True,
        )
        await server.until(lambda: used.done)
        wish = crew.brain.wishes[-1]
        assert crew.steward.kinds() == []
    assert used.text == "ahoy /approve 1"
    assert (wish.model, wish.tools, wish.private) == ("vendor/small", "calculate", True)
    assert [(each.name, each.text) for each in wish.attachments] == [("notes.txt", "some notes")]
    assert [one.content for one in room.ephemeral] == ["ahoy /approve 1"]
    assert room.messages == []


async def test_the_old_option_says_what_replaces_it(server: DiscordServer, room: Channel, ann: User) -> None:
    """`web_search` still has the web searched first, and the answer names the option that replaces it."""
    async with aboard(server) as crew:
        used = server.slash(ann, room, "chat", prompt="news", web_search=True)
        await server.until(lambda: used.done)
        assert crew.brain.wishes[-1].tools == "search_web"
    assert "`force_tools`" in used.text
    assert used.text.endswith("ahoy news")


async def test_typed_control_fields_reach_the_steward(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A number and a reason that are filled in are what the steward is asked with."""
    async with aboard(server, ann.id) as crew:
        used = server.slash(ann, room, "reject", number=3, reason="too slow")
        await server.until(lambda: used.done)
        asked = [body for body in crew.steward.asked if isinstance(body, say.Reject)]
    assert [(body.number, body.why) for body in asked] == [(3, "too slow")]


async def test_people_and_roles_are_mentioned(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A person or role that is mentioned in a field reaches the steward by its id."""
    bob, crew_role = server.user("bob", guild), server.role(guild, "crew")
    async with aboard(server, ann.id) as crew:
        crew.bot.grants = frozenset({Grant(f"discord:{ann.id}", "setup")})
        one = server.slash(ann, room, "grant", who=f"<@{bob.id}>", what="propose")
        other = server.slash(ann, room, "grant", who=f"<@&{crew_role.id}>", what="see")
        await server.until(lambda: one.done and other.done)
        asked = [(body.to, body.capability) for body in crew.steward.asked if isinstance(body, say.Grant)]
    assert sorted(asked) == sorted(
        [(f"discord:{bob.id}", "propose"), (f"discord:role/{crew_role.id}", "see")]
    )
