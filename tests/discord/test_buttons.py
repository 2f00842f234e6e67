"""The buttons of a card: who may press them, for which head they hold, and that they act once."""

from pathlib import Path

import pytest

from policies.rights import Grant
from selfedit import protocol as say
from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.discord.reviewing import button, field, press, pressed, reviewed, shown, steward_of
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.life import TO_LOOK_AT, LivingSteward, head_of, judged


@pytest.fixture
def bob(server: DiscordServer, guild: Guild) -> User:
    """Somebody else on that server."""
    return server.user("bob", guild)


def approvals(steward: LivingSteward) -> list[say.Approve]:
    """What the steward was asked to approve."""
    return [one for one in steward.asked if isinstance(one, say.Approve)]


async def test_approving_takes_a_second_click_and_names_the_head(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Who approves is asked whether they are sure, alone; what they approve is the head that was shown."""
    async with reviewed(server, ann, room) as (_crew, steward, card):
        question = await pressed(server, ann, card, "Approve")
        assert question.ephemeral
        assert head_of(1)[:12] in question.content
        assert approvals(steward) == []
        await pressed(server, ann, question, "Approve")
        await server.until(lambda: field(card, "Approved by") and "live" in question.content)
        await server.until(lambda: button(card, "Approve")["disabled"])
    (approval,) = approvals(steward)
    assert (approval.by, approval.head) == (f"discord:{ann.id}", head_of(1))
    assert field(card, "Approved by") == f"<@{ann.id}>"
    assert card.pings == frozenset()


async def test_a_wrong_person_is_refused(server: DiscordServer, room: Channel, ann: User, bob: User) -> None:
    """Who may not approve, reject or look is told so, alone, and the steward hears of nothing."""
    async with reviewed(server, ann, room) as (_crew, steward, card):
        before = len(steward.asked)
        for label in ("Approve", "Reject", "Diff", "Ask"):
            refused = await pressed(server, bob, card, label)
            assert refused.ephemeral
            assert refused.content.startswith("Only ")
        assert len(steward.asked) == before


async def test_rights_are_those_of_the_click(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, bob: User
) -> None:
    """Somebody who may manage the server may look; when that role is gone, a card shown before lets them no more."""
    role = server.role(guild, "manager", 1 << 5)
    async with reviewed(server, ann, room) as (_crew, _steward, card):
        guild.members[bob.id].roles.append(role.id)
        assert "diff" in (await pressed(server, bob, card, "Diff")).content
        guild.members[bob.id].roles.remove(role.id)
        assert (await pressed(server, bob, card, "Diff")).content.startswith("Only ")


async def test_nobody_approves_what_they_asked_for(server: DiscordServer, room: Channel, ann: User) -> None:
    """A requester is told at the first press that somebody else has to approve, and is asked nothing."""
    steward = steward_of(ann)
    steward.open(1, f"discord:{ann.id}")
    async with aboard(server, ann.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        told = await pressed(server, ann, card, "Approve")
        await server.until(lambda: "another maintainer" in told.content)
        assert told.parts() == []
    assert "open for review" in field(card, "Stage")


async def test_a_head_that_moved_is_not_approved(server: DiscordServer, room: Channel, ann: User) -> None:
    """A button holds for the head beside which it stood: later it refuses, and the card is brought up to date."""
    async with reviewed(server, ann, room) as (_crew, steward, card):
        question = await pressed(server, ann, card, "Approve")
        head = head_of(1, 5)
        steward.move(1, Stage.OPENED, head=head, report=judged(head, steward.rules.policy))
        refused = await pressed(server, ann, card, "Approve")
        assert refused.content.startswith(f"Proposal 1 is at `{head[:12]}` now")
        await server.until(lambda: head[:12] in field(card, "Commits"))
        press(server, ann, question, "Approve")
        await server.until(lambda: f"`{head[:12]}` now" in question.content)
    assert approvals(steward) == []


async def test_a_stranger_cannot_be_sure_for_somebody(
    server: DiscordServer, room: Channel, ann: User, bob: User
) -> None:
    """Where the question stands in the channel, because the command was typed, only who typed it can answer it."""
    steward = steward_of(ann, bob)
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward):
        server.say(ann, room, "/approve 1")
        await server.until(lambda: len(room.messages) == 2)
        question = room.messages[1]
        refused = await pressed(server, bob, question, "Approve")
        assert refused.content.startswith("That is for who asked")
        assert approvals(steward) == []
        press(server, ann, question, "Approve")
        await server.until(lambda: len(approvals(steward)) == 1)
        await server.until(lambda: "is live" in question.content)


async def test_of_two_who_click_at_once_one_acts(
    server: DiscordServer, room: Channel, ann: User, bob: User
) -> None:
    """While one approves, the other is told who; the steward is asked once."""
    steward = steward_of(ann, bob)
    steward.open(1)
    steward.merging.clear()
    async with aboard(server, ann.id, bob.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        mine = await pressed(server, ann, card, "Approve")
        yours = await pressed(server, bob, card, "Approve")
        press(server, ann, mine, "Approve")
        await server.until(lambda: approvals(steward))
        press(server, bob, yours, "Approve")
        await server.until(lambda: f"<@{ann.id}>" in yours.content)
        steward.merging.set()
        await server.until(lambda: "is live" in mine.content)
    assert len(approvals(steward)) == 1


async def test_a_double_click_acts_once(server: DiscordServer, room: Channel, ann: User) -> None:
    """Two clicks on the same question are one approval."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        question = await pressed(server, ann, card, "Approve")
        twice = [press(server, ann, question, "Approve") for _ in range(2)]
        await server.until(lambda: all(one.answered for one in twice))
        await crew.client.review.settled()
    assert len(approvals(steward)) == 1


async def test_two_approvals_are_two_people(
    server: DiscordServer, room: Channel, ann: User, bob: User
) -> None:
    """Where it takes two, the first is on the card, the same person cannot give the second, and another can."""
    steward = steward_of(ann, bob)
    steward.findings = [TO_LOOK_AT]
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        assert button(card, "Approve (1 of 2)")
        question = await pressed(server, ann, card, "Approve")
        assert "Somebody else has to approve it as well" in question.content
        press(server, ann, question, "Approve")
        await server.until(lambda: field(card, "Approved by") == f"<@{ann.id}>")
        question = await pressed(server, ann, card, "Approve (2 of 2)")
        press(server, ann, question, "Approve")
        await server.until(lambda: question.content.startswith(f"<@{ann.id}> has approved proposal 1"))
        question = await pressed(server, bob, card, "Approve (2 of 2)")
        press(server, bob, question, "Approve")
        await server.until(lambda: "live, and watched" in field(card, "Stage"))
    assert field(card, "Approved by") == f"<@{ann.id}> and <@{bob.id}>"


async def test_what_is_left_is_left(server: DiscordServer, room: Channel, ann: User) -> None:
    """Who is not sure does nothing, and the question is gone."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        question = await pressed(server, ann, await shown(crew, server, ann, room), "Approve")
        await pressed(server, ann, question, "Leave it")
    assert question.content == "Nothing was done."
    assert question.parts() == []
    assert approvals(steward) == []


async def test_buttons_work_after_a_restart(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A card and a question that an earlier process sent are served by this one."""
    async with reviewed(server, ann, room, home=tmp_path) as (_crew, steward, card):
        question = await pressed(server, ann, card, "Approve")
    async with aboard(server, ann.id, steward=steward, home=tmp_path):
        assert "diff" in (await pressed(server, ann, card, "Diff")).content
        press(server, ann, question, "Approve")
        await server.until(lambda: "live, and watched" in field(card, "Stage"))
    assert len(approvals(steward)) == 1


async def test_nothing_is_left_behind_in_the_library(server: DiscordServer, room: Channel, ann: User) -> None:
    """However many cards and pages are shown, the library keeps no view, and two templates."""
    steward = steward_of(ann)
    for number in range(1, 6):
        steward.open(number)
    async with aboard(server, ann.id, steward=steward) as crew:
        store = crew.client._connection._view_store
        before = len(store._dynamic_items)
        for number in range(1, 6):
            card = await shown(crew, server, ann, room, number)
            await pressed(server, ann, card, "Diff")
            await steward.go(number, Stage.LIVE)
        await server.until(lambda: all("live" in field(one, "Stage") for one in room.messages))
        await crew.client.review.settled()
        assert crew.client.persistent_views == []
        assert store._views == {}
        assert len(store._dynamic_items) == before


async def test_a_wrong_stage_is_said(server: DiscordServer, room: Channel, ann: User) -> None:
    """A command for what cannot be done says where the proposal is."""
    steward = steward_of(ann)
    steward.open(1)
    steward.move(1, Stage.KEPT, merge="d" * 40)
    async with aboard(server, ann.id, steward=steward):
        used = server.slash(ann, room, "approve", number=1)
        await server.until(lambda: used.done)
        none = server.slash(ann, room, "rollback", number=9)
        await server.until(lambda: none.done)
    assert used.text == "Proposal 1 is kept; only an open one can be approved."
    assert none.text == "There is no proposal 9"


async def test_a_press_that_fails_leaves_nobody_waiting(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where carrying out a press fails, who pressed is told, and the log says where."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        crew.client.shelf.execute("DROP TABLE cards")
        told = await pressed(server, ann, card, "Approve")
        press(server, ann, told, "Approve")
        await server.until(lambda: told.content.startswith("Sorry, that failed"))
    assert "a click could not be carried out" in caplog.text


async def test_approve_goes_with_the_roles_of_the_moment(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """The steward is told the roles of who presses, so that it can judge for itself; leaving something takes no right."""
    role = server.role(guild, "mates")
    bob = server.user("bob", guild, roles=[role])
    async with reviewed(server, ann, room) as (crew, steward, card):
        crew.bot.grants = frozenset({Grant(f"discord:role/{role.id}", "approve")})
        question = await pressed(server, bob, card, "Approve")
        crew.bot.grants = frozenset()
        left = await pressed(server, bob, question, "Leave")
        assert left.content == "Nothing was done."
        crew.bot.grants = frozenset({Grant(f"discord:role/{role.id}", "approve")})
        question = await pressed(server, bob, card, "Approve")
        press(server, bob, question, "Approve")
        await server.until(lambda: [one for one in steward.asked if isinstance(one, say.Approve)])
        (approve,) = [one for one in steward.asked if isinstance(one, say.Approve)]
    assert f"discord:role/{role.id}" in approve.roles
