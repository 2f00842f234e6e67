"""Turning a proposal down, and taking one back: the form and the command with their reasons."""

import re

import pytest

from policies.rights import Grant
from selfedit import protocol as say
from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.discord.reviewing import button, field, press, pressed, reviewed, shown, steward_of
from tests.fakes.discord.interactions import FORM, Interaction
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User
from tests.fakes.discord.typed import NotPossible
from tests.fakes.life import head_of


async def test_a_rejection_asks_for_its_reason(server: DiscordServer, room: Channel, ann: User) -> None:
    """The reason that is written into the form stands on the card, with who gave it."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        opened = press(server, ann, card, "Reject")
        await server.until(lambda: opened.answered == FORM)
        sent = server.modal(ann, opened, why="too loud, @everyone")
        await server.until(lambda: sent.done and "too loud" in field(card, "Turned down"))
        await crew.client.review.settled()
    assert re.fullmatch(rf"by <@{ann.id}> <t:\d+:R>\n> too loud, @\u200beveryone", field(card, "Turned down"))
    with pytest.raises(NotPossible):
        press(server, ann, card, "Approve")


async def test_a_rejection_of_what_moved_is_refused(server: DiscordServer, room: Channel, ann: User) -> None:
    """A form that was open while the head moved turns nothing down."""
    async with reviewed(server, ann, room) as (_crew, steward, card):
        opened = press(server, ann, card, "Reject")
        await server.until(lambda: opened.answered == FORM)
        steward.move(1, Stage.OPENED, head=head_of(1, 5))
        sent = server.modal(ann, opened, why="no")
        await server.until(lambda: sent.done)
    assert sent.text.startswith("Proposal 1 is at ")
    assert "Reject" not in steward.kinds()


async def test_a_rollback_by_button(server: DiscordServer, room: Channel, ann: User) -> None:
    """What is live is taken back after a second click, and the card says by whom."""
    steward = steward_of(ann)
    steward.open(1)
    steward.move(1, Stage.LIVE, merge="d" * 40)
    async with aboard(server, ann.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        question = await pressed(server, ann, card, "Roll back")
        assert "Rollback" not in steward.kinds()
        press(server, ann, question, "Roll back")
        await server.until(lambda: field(card, "Taken back").startswith(f"by <@{ann.id}>"))
    assert button(card, "Roll back")["disabled"]


async def answered(server: DiscordServer, used: Interaction) -> Interaction:
    """A use whose answer is there."""
    await server.until(lambda: used.done)
    return used


async def test_a_rollback_has_its_reason(server: DiscordServer, room: Channel, ann: User) -> None:
    """What somebody says with the command goes to the steward when they are sure; what was said earlier does not count later."""
    steward = steward_of(ann)
    steward.open(1)
    steward.move(1, Stage.LIVE, merge="d" * 40)
    async with aboard(server, ann.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        await answered(server, server.slash(ann, room, "rollback", number=1, reason="nobody knows"))
        used = await answered(server, server.slash(ann, room, "rollback", number=1, reason="it is *rude*"))
        assert used.original is not None
        assert "Reason: it is \\*rude\\*" in used.text
        press(server, ann, used.original, "Roll back")
        await server.until(lambda: field(card, "Taken back"))
    assert [one.why for one in steward.asked if isinstance(one, say.Rollback)] == ["it is *rude*"]


async def test_a_rollback_by_button_takes_its_reason(server: DiscordServer, room: Channel, ann: User) -> None:
    """The question whether somebody is sure takes a reason, more than once; the last counts, and still nothing is done by it."""
    steward = steward_of(ann)
    steward.open(1)
    steward.move(1, Stage.LIVE, merge="d" * 40)
    async with aboard(server, ann.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        question = await pressed(server, ann, card, "Roll back")
        # A lambda binds what the loop holds now by its defaults, which can be given no type.
        for why in ("first thought", "", "it is *rude*"):
            opened = press(server, ann, question, "Say why")
            await server.until(lambda opened=opened: opened.answered == FORM)  # type: ignore[misc]
            server.modal(ann, opened, why=why)
            told = why.replace("*", "\\*")
            await server.until(lambda told=told: question.content.partition("\nReason: ")[2] == told)  # type: ignore[misc]
        assert "Rollback" not in steward.kinds()
        press(server, ann, question, "Roll back")
        await server.until(lambda: field(card, "Taken back"))
    assert [one.why for one in steward.asked if isinstance(one, say.Rollback)] == ["it is *rude*"]


async def test_the_newest_is_taken_back_without_a_number(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """`/rollback` alone asks about the newest that can be taken back."""
    steward = steward_of(ann)
    for number, stage in ((1, Stage.KEPT), (2, Stage.LIVE), (3, Stage.REVERTED)):
        steward.open(number)
        steward.move(number, stage, merge="d" * 40)
    async with aboard(server, ann.id, steward=steward):
        used = server.slash(ann, room, "rollback")
        await server.until(lambda: used.done)
    assert used.text.startswith("Take back proposal 2, ")


async def test_a_typed_rejection_is_on_the_card(server: DiscordServer, room: Channel, ann: User) -> None:
    """Turning down by a command does what the button does."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        server.say(ann, room, "/reject 1 not like this")
        await server.until(lambda: "not like this" in field(card, "Turned down"))
        await crew.client.review.settled()
    assert field(card, "Turned down").startswith(f"by <@{ann.id}>")


async def test_a_form_that_was_open_over_a_restart_is_answered(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Whoever sends a form that another process opened is told to open it again; nothing is done, and it is settled."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        used = press(server, ann, card, "Reject")
        await server.until(lambda: used.answered)
    async with aboard(server, ann.id, steward=steward) as crew:
        sent = server.modal(ann, used, why="no")
        await server.until(lambda: sent.answered)
        row = crew.client.inbox.row(int(sent.id))
    assert "open it again" in sent.text
    assert row is not None
    assert say.Reject not in [type(one) for one in steward.asked]


async def test_a_form_is_judged_when_it_is_sent(server: DiscordServer, room: Channel, ann: User) -> None:
    """Who lost the right to reject while the form was open rejects nothing, and nothing of it reaches the steward."""
    steward = steward_of()
    steward.open(1)
    async with aboard(server, steward=steward) as crew:
        crew.bot.grants = frozenset({Grant(f"discord:{ann.id}", "approve")})
        card = await shown(crew, server, ann, room)
        used = press(server, ann, card, "Reject")
        await server.until(lambda: used.answered)
        crew.bot.grants = frozenset()
        sent = server.modal(ann, used, why="no")
        await server.until(lambda: sent.done and sent.text)
    assert "maintainers" in sent.text
    assert say.Reject not in [type(one) for one in steward.asked]
