"""What one failure of the network leaves behind in a review, a panel or an answer: nothing."""

import pytest

from bot.discord import patience
from selfedit import protocol as say
from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.discord.office import Office
from tests.discord.reviewing import field, press, pressed, reviewed, shown, steward_of
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.interactions import FORM
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User

CALLBACK = "POST /interactions/*/callback"
ANSWER = "PATCH /webhooks/*/messages/@original"
FOLLOWUP = "POST /webhooks/{webhook_id}/{webhook_token}"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)


@pytest.mark.parametrize("at", [CALLBACK, ANSWER])
@pytest.mark.parametrize("done", [True, False], ids=["done", "undone"])
async def test_what_somebody_is_sure_of_is_carried_out(
    server: DiscordServer, room: Channel, ann: User, at: str, *, done: bool
) -> None:
    """However the connection is cut, an approval happens once, and its question ends with what came of it."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        question = await pressed(server, ann, card, "Approve")
        server.faults.cut(at, done=done)
        press(server, ann, question, "Approve")
        await server.until(lambda: "is live" in question.content)
        await crew.client.review.settled()
    assert question.parts() == []
    assert steward.kinds().count("Approve") == 1


async def test_an_approval_is_carried_out_where_no_answer_is_taken(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where Discord takes no answer at all to the second click, the card shows what came of it."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        question = await pressed(server, ann, card, "Approve")
        server.faults.fail(CALLBACK, 404, code=10062)
        used = press(server, ann, question, "Approve")
        await server.until(lambda: "live, and watched" in field(card, "Stage"))
        await crew.client.review.settled()
        row = crew.client.inbox.row(int(used.id))
    assert row is not None


@pytest.mark.parametrize("label", ["Diff", "Approve", "Ask"])
async def test_a_press_is_answered_after_a_cut(
    server: DiscordServer, room: Channel, ann: User, label: str
) -> None:
    """Nobody is left with a promise because one edit failed, or one thread could not be opened at once."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain()) as crew:
        card = await shown(crew, server, ann, room)
        server.faults.cut(CALLBACK, done=True)
        server.faults.cut(ANSWER, done=False)
        server.faults.cut("POST /channels/*/threads", done=False)
        told = await pressed(server, ann, card, label)
        await server.until(lambda: told.content and not told.loading)
    assert not told.content.startswith("Sorry")


async def test_a_press_that_fails_is_no_answered_one(server: DiscordServer, room: Channel, ann: User) -> None:
    """What could not be carried out is kept as lost."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        server.faults.fail(CALLBACK, 404, code=10062, times=2)
        used = press(server, ann, card, "Diff")
        await pressed(server, ann, card, "Diff")
        await crew.client.review.settled()
        row = crew.client.inbox.row(int(used.id))
    assert row is not None
    assert row.state == "lost"


async def test_the_panel_comes_after_a_cut(server: DiscordServer, room: Channel) -> None:
    """`/setup` is answered though the first edit failed."""
    async with aboard(server, answers=Office().answers):
        server.faults.cut(ANSWER, done=False)
        used = server.slash(server.world.owner, room, "setup")
        await server.until(lambda: used.done and used.original and used.original.parts())


@pytest.mark.parametrize("status", [429, 503])
async def test_all_pieces_of_an_answer_come(
    server: DiscordServer, room: Channel, ann: User, status: int
) -> None:
    """An answer to a command goes on behind a piece that Discord did not take at first."""
    words = " ".join(f"word{at}" for at in range(600))
    async with aboard(server) as crew:
        server.faults.cloudflare(FOLLOWUP, status=status)
        used = server.slash(ann, room, "tool", what=words)
        await server.until(lambda: len(used.followups) == 2)
        await crew.client.idle()
    assert " ".join(one.content for one in room.ephemeral).split() == ["tool", *words.split()]


async def test_an_answer_that_breaks_off_is_lost(server: DiscordServer, room: Channel, ann: User) -> None:
    """Where Discord refuses the rest of an answer, its row does not say that it is answered."""
    async with aboard(server) as crew:
        server.faults.fail(FOLLOWUP, 403, code=50013)
        used = server.slash(ann, room, "tool", what=" ".join(["word"] * 900))
        await server.until(lambda: used.text)
        again = server.slash(ann, room, "tool", what="next")
        await server.until(lambda: again.text)
        row = crew.client.inbox.row(int(used.id))
    assert row is not None
    assert row.state == "lost"


async def test_two_people_turn_down_one_proposal(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Each of two forms that are open for one card is answered."""
    bob = server.user("bob", guild)
    steward = steward_of(ann, bob)
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        forms = [press(server, each, card, "Reject") for each in (ann, bob)]
        await server.until(lambda: all(form.answered == FORM for form in forms))
        sent = [server.modal(each, form, why="no") for each, form in zip((ann, bob), forms, strict=True)]
        await server.until(lambda: all(each.done for each in sent))
    assert steward.kinds().count("Reject") == 1
    assert sum("rejected" in each.text for each in sent) >= 1


async def test_two_people_ask_at_once(server: DiscordServer, guild: Guild, room: Channel, ann: User) -> None:
    """One thread is opened, and greeted once."""
    bob = server.user("bob", guild)
    steward = steward_of(ann, bob)
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward, mind=ScriptedBrain()) as crew:
        card = await shown(crew, server, ann, room)
        asked = [press(server, each, card, "Ask") for each in (ann, bob)]
        await server.until(lambda: all(each.done for each in asked))
        await crew.client.review.settled()
    assert {each.text for each in asked} == {f"Ask here: <#{card.id}>"}
    assert len(server.channel(card.id).messages) == 1


async def test_a_card_follows_when_the_steward_is_back(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A card that could not be brought up to date is tried again, though nothing is told of its proposal any more."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        crew.client.review.board.again = 0.01
        shows = steward.answers.pop(say.Show)
        await steward.go(1, Stage.REJECTED)
        await crew.client.review.settled()
        assert "turned down" not in field(card, "Stage")
        steward.answers[say.Show] = shows
        await server.until(lambda: "turned down" in field(card, "Stage"))


async def test_a_card_that_discord_refuses_is_tried_again(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """An edit that failed for now is made up for later."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        crew.client.review.board.again = 0.01
        server.faults.fail("PATCH /channels/*/messages/*", 400, code=50035)
        await steward.go(1, Stage.REJECTED)
        await server.until(lambda: "turned down" in field(card, "Stage"))
