"""One message a proposal, edited through its stages, wherever they are decided."""

import asyncio
from pathlib import Path

import pytest

from bot.discord import patience
from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.discord.reviewing import button, field, reviewed, shown, steward_of
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Message, User
from tests.fakes.life import TO_LOOK_AT

EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")


def stage(card: Message) -> str:
    """What a card says first."""
    return field(card, "Stage")


async def test_a_request_is_one_message_through_its_life(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """What `/improve` shows at once is edited as it is drafted, judged, approved elsewhere, live and kept."""
    steward = steward_of(ann)
    steward.judging.clear()
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain()):
        used = server.slash(ann, room, "improve", goal="show each die")
        await server.until(lambda: room.messages and "asked for" in stage(room.messages[0]))
        (card,) = room.messages
        assert card.data["embeds"][0]["title"].startswith("Proposal 1: ")
        steward.judging.set()
        await server.until(lambda: "open for review" in stage(card))
        assert not button(card, "Approve").get("disabled")
        await steward.go(1, Stage.LIVE, approvals=("console:bob",), merge="d" * 40)
        await server.until(lambda: "live, and watched" in stage(card))
        assert button(card, "Approve")["disabled"]
        assert field(card, "Approved by") == "console:bob"
        await steward.go(1, Stage.KEPT)
        await server.until(lambda: "**kept**" in stage(card))
    assert room.messages == [card]
    assert used.followups == []
    assert card.pings == frozenset()


async def test_a_typed_request_has_its_card_as_well(server: DiscordServer, room: Channel, ann: User) -> None:
    """Typing the command gives the same card, below what was typed."""
    async with aboard(server, ann.id, steward=steward_of(ann), mind=ScriptedBrain()):
        asked = server.say(ann, room, "/improve show each die")
        await server.until(lambda: len(room.messages) == 2 and "open for review" in stage(room.messages[1]))
    assert room.messages[1].data["message_reference"]["message_id"] == asked.id


async def test_a_request_that_is_refused_says_why(server: DiscordServer, room: Channel, ann: User) -> None:
    """Where nothing comes of a request, who asked is told why in a sentence, and nothing stays for the others."""
    async with aboard(server, ann.id, steward=steward_of(ann)):
        server.slash(ann, room, "improve", goal="show each die")
        await server.until(lambda: room.ephemeral)
    assert "model" in room.ephemeral[0].content
    assert room.messages == []


async def test_what_cannot_be_understood_is_told_to_who_asked(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A mistake in the edits of a request is nobody else's matter."""
    async with aboard(server, ann.id, steward=steward_of(ann), mind=ScriptedBrain()):
        used = server.slash(ann, room, "improve", goal='[{"op": "nope"}]')
        await server.until(lambda: used.done and used.text)
    assert room.messages == []


async def test_stages_are_told_where_news_go(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """What opens, comes to life and is taken back is one quiet line each there, with the way to the card elsewhere."""
    news = server.room(guild, "news")
    steward = steward_of(ann)
    steward.findings = [TO_LOOK_AT]
    steward.open(1, title="Greet @everyone")
    async with aboard(server, ann.id, steward=steward) as crew:
        crew.client.review.news.choose(int(guild.id), int(news.id))
        card = await shown(crew, server, ann, room)
        await steward.tell(1)
        await steward.tell(1)
        await server.until(lambda: len(news.messages) == 1)
        await steward.go(1, Stage.LIVE, merge="d" * 40)
        await server.until(lambda: len(news.messages) == 2)
        await steward.go(1, Stage.REVERTED)
        await server.until(lambda: len(news.messages) == 3)
        await crew.client.review.settled()
    opened, live, back = (one.content for one in news.messages)
    assert f"/{room.id}/{card.id}) is open for review: Greet @\u200beveryone; waits for 2 approvals" in opened
    assert "is live, and watched" in live
    assert "is taken back" in back
    assert all(one.data["flags"] & 1 << 12 and not one.pings for one in news.messages)


async def test_cards_of_two_requests_are_not_mixed_up(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Two people who ask at the same time each have the card of what they asked for."""
    bob = server.user("bob", guild)
    async with aboard(server, ann.id, bob.id, steward=steward_of(ann, bob), mind=ScriptedBrain()):
        mine = server.slash(ann, room, "improve", goal="louder")
        yours = server.slash(bob, room, "improve", goal="softer")
        await server.until(
            lambda: all(one.original and "open for review" in stage(one.original) for one in (mine, yours))
        )
    assert mine.original is not None
    assert yours.original is not None
    assert "louder" in mine.original.data["embeds"][0]["description"]
    assert "softer" in yours.original.data["embeds"][0]["description"]
    assert field(yours.original, "Asked for by") == f"<@{bob.id}>"


async def test_a_card_goes_on_after_a_restart(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """What moved while nobody listened is made up for by the next process, which then goes on editing."""
    async with reviewed(server, ann, room, home=tmp_path) as (_crew, steward, card):
        pass  # its card is there
    steward.move(1, Stage.REJECTED, why="not now")
    async with aboard(server, ann.id, steward=steward, home=tmp_path):
        await server.until(lambda: "turned down" in stage(card))
        assert field(card, "Turned down") == "> not now"
        await steward.go(1, Stage.REJECTED, why="never")
        await server.until(lambda: field(card, "Turned down") == "> never")


@pytest.mark.parametrize("typed", [True, False])
async def test_a_request_outlives_the_process(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, *, typed: bool
) -> None:
    """Where the bot is restarted while a request is judged, the next process goes on with its card, and says nothing else."""
    steward = steward_of(ann)
    steward.judging.clear()
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain(), home=tmp_path):
        if typed:
            server.say(ann, room, "/improve show each die")
        else:
            server.slash(ann, room, "improve", goal="show each die")
        await server.until(lambda: room.messages and "asked for" in stage(room.messages[-1]))
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain(), home=tmp_path) as crew:
        steward.open(1)
        await steward.tell(1)
        await server.until(lambda: "open for review" in stage(room.messages[-1]))
        await crew.client.review.settled()
    card = room.messages[-1]
    assert card.content == ""
    assert room.messages == ([room.messages[0], card] if typed else [card])
    assert room.ephemeral == []


async def test_a_card_that_did_not_move_is_left_alone(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A restart edits only cards of which something has changed."""
    steward = steward_of(ann)
    steward.open(1)
    steward.open(2)
    async with aboard(server, ann.id, steward=steward, home=tmp_path) as crew:
        cards = [await shown(crew, server, ann, room, number) for number in (1, 2)]
    steward.move(2, Stage.REJECTED)
    async with aboard(server, ann.id, steward=steward, home=tmp_path) as crew:
        await server.until(lambda: "turned down" in stage(cards[1]))
        await crew.client.review.settled()
    assert [call.parts["message_id"] for call in server.rest.made(*EDIT)] == [cards[1].id]


async def test_a_card_that_was_deleted_is_let_go(server: DiscordServer, room: Channel, ann: User) -> None:
    """A card that somebody deleted is not looked for again, and `/proposal` makes a new one."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        heard = asyncio.create_task(crew.client.wait_for("raw_message_delete", timeout=10))
        server.delete(card)
        await heard
        edits = len(server.rest.made(*EDIT))
        await steward.go(1, Stage.LIVE)
        await crew.client.review.settled()
        assert len(server.rest.made(*EDIT)) == edits
        assert crew.client.review.board.place(1) is None
        other = await shown(crew, server, ann, room)
        assert not other.ephemeral
        await steward.go(1, Stage.KEPT)
        await server.until(lambda: "**kept**" in stage(other))


async def test_a_card_where_the_bot_is_no_more_is_let_go(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """When the bot is sent away from a server, a proposal that had its card there gets a new one elsewhere."""
    steward = steward_of(ann)
    steward.open(1)
    there = server.room(server.guild("Reef", ann), "den")
    async with aboard(server, ann.id, steward=steward) as crew:
        await shown(crew, server, ann, room)
        assert room.guild is not None
        server.send_away(guild)
        server.say(ann, there, f"<@{server.bot.id}> still here?")
        await server.until(lambda: there.messages[1:])
        card = await shown(crew, server, ann, there)
        place = crew.client.review.board.place(1)
    assert not card.ephemeral
    assert place is not None
    assert place.message == int(card.id)


async def test_a_card_that_may_not_be_edited_is_let_go(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where the bot lost its access to a card, the next look makes a new one."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        await shown(crew, server, ann, room)
        server.faults.fail("PATCH /channels/{channel_id}/messages/{message_id}", 403)
        await steward.go(1, Stage.REJECTED, why="not now")
        await server.until(lambda: server.rest.made(*EDIT))
        await crew.client.review.settled()
        assert crew.client.review.board.place(1) is None
        assert not (await shown(crew, server, ann, room)).ephemeral


async def test_a_card_that_may_not_be_edited_is_shown_anew_where_news_go(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where that server has a channel for news, the proposal has its card there from then on, and the log says where it was."""
    steward, news = steward_of(ann), server.room(guild, "news")
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        old = await shown(crew, server, ann, room)
        crew.client.setup.news.choose(int(guild.id), int(news.id))
        server.faults.fail("PATCH /channels/{channel_id}/messages/{message_id}", 403)
        await steward.go(1, Stage.REJECTED, why="not now")
        await server.until(lambda: any(one.data["embeds"] for one in news.messages))
        await crew.client.review.settled()
        place = crew.client.review.board.place(1)
    assert place is not None
    assert (place.channel, place.message) in {(int(news.id), int(one.id)) for one in news.messages}
    assert f"{room.id}/{old.id}" in caplog.text


async def test_a_request_that_could_not_be_shown_waits_for_no_number(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where the first sign of a request was not taken, the same words later get the card of their own proposal."""
    steward = steward_of(ann)
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain()) as crew:
        server.faults.fail("POST /channels/{channel_id}/messages", 403)
        server.say(ann, room, "/improve show each die")
        await server.until(lambda: server.rest.made("POST", "/channels/{channel_id}/messages"))
        await crew.client.idle()
        steward.judging.clear()
        server.say(ann, room, "/improve show each die")
        await server.until(lambda: room.messages[2:] and "being drafted" in stage(room.messages[-1]))
        place = crew.client.review.board.place(1)
        assert place is not None
        assert place.message == int(room.messages[-1].id)
        steward.judging.set()
        await crew.client.idle()


async def test_a_second_look_leads_to_the_card(server: DiscordServer, room: Channel, ann: User) -> None:
    """Who asks for a proposal that has a card sees a copy alone, with the way to the card."""
    async with reviewed(server, ann, room) as (crew, _steward, card):
        copy = await shown(crew, server, ann, room)
    assert copy.ephemeral
    assert button(copy, "Its card")["url"].endswith(f"/{room.id}/{card.id}")
    assert room.messages == [card]


async def test_many_notices_are_few_edits(server: DiscordServer, room: Channel, ann: User) -> None:
    """While one edit is on its way any number of notices becomes one more, which shows the last state."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        for _ in range(50):
            crew.client.review.board.changed(1)
        steward.move(1, Stage.REJECTED)
        await server.until(lambda: "turned down" in stage(card))
        await crew.client.review.settled()
    assert len(server.rest.made(*EDIT)) == 1


async def test_what_was_done_at_an_earlier_stage_is_not_said(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A notice that is followed late says nothing about the stage at which the proposal is by then."""
    async with reviewed(server, ann, room) as (crew, steward, card):
        crew.client.review.board.doing(1, Stage.GATED, "gate: passed")
        steward.move(1, Stage.OPENED, title="Another title")
        await steward.tell(1)
        await server.until(lambda: "Another" in card.data["embeds"][0]["title"])
    assert stage(card).startswith("👀 **open for review**\n")


async def test_news_are_told_where_the_owner_wants_them(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """News come as a quiet line, and what the console asked for has its card there once it is open."""
    news = server.room(guild, "news")
    steward = steward_of(ann)
    async with aboard(server, ann.id, steward=steward) as crew:
        crew.client.review.news.choose(int(guild.id), int(news.id))
        await steward.news("proposal 3 is kept @everyone")
        await server.until(lambda: len(news.messages) == 1)
        steward.open(1)
        await steward.tell(1)
        await server.until(lambda: len(news.messages) == 2)
        await steward.go(1, Stage.REJECTED)
        await server.until(lambda: "turned down" in stage(news.messages[1]))
    assert news.messages[0].content == "proposal 3 is kept @\u200beveryone"
    assert news.messages[0].data["flags"] & 1 << 12
    assert room.messages == []


async def test_lists_and_states_are_cards(server: DiscordServer, room: Channel, ann: User) -> None:
    """What there is, with links to the cards, and how it stands is shown to who asked, good to read."""
    async with reviewed(server, ann, room) as (_crew, _steward, card):
        listed, state = server.slash(ann, room, "proposals"), server.slash(ann, room, "status")
        await server.until(lambda: listed.done and state.done)
    assert [one.data["embeds"][0]["title"] for one in room.ephemeral] == ["Proposals", "How things stand"]
    assert f"/{room.id}/{card.id})" in room.ephemeral[0].data["embeds"][0]["description"]


async def test_everybody_sees_who_halted(server: DiscordServer, room: Channel, ann: User) -> None:
    """A halt stands in the channel, with who did it."""
    async with aboard(server, ann.id, steward=steward_of(ann)):
        used = server.slash(ann, room, "halt")
        await server.until(lambda: used.done)
    (told,) = room.messages
    assert told.data["embeds"][0]["title"] == "Self-editing is halted"
    assert "Answers under way were stopped" in told.data["embeds"][0]["description"]
    assert field(told, "By") == f"<@{ann.id}>"


async def test_an_outage_is_waited_out(
    server: DiscordServer, room: Channel, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that cannot be edited at first is edited when it can."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    async with reviewed(server, ann, room) as (_crew, steward, card):
        server.faults.fail("PATCH /channels/*/messages/*", 503)
        await steward.go(1, Stage.REJECTED)
        await server.until(lambda: "turned down" in stage(card))
    assert len(server.rest.made(*EDIT)) == 2
