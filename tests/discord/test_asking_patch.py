"""Asking a patch: a thread below its card, in which a model answers that knows it."""

from pathlib import Path

from selfedit.types import Stage
from tests.discord.crew import aboard
from tests.discord.reviewing import pressed, reviewed, shown, steward_of
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User


async def test_the_patch_answers_in_a_thread(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Questions in the thread are answered with goal, gate and diff beside them as data, also after a restart."""
    steward, mind = steward_of(ann), ScriptedBrain()
    steward.open(1)
    async with aboard(server, ann.id, steward=steward, mind=mind, home=tmp_path) as crew:
        card = await shown(crew, server, ann, room)
        told = await pressed(server, ann, card, "Ask")
        thread = server.channel(card.id)
        assert told.content == f"Ask here: <#{thread.id}>"
        await crew.client.review.settled()
        assert (await pressed(server, ann, card, "Ask")).content == told.content
        server.say(ann, thread, "what could go wrong?")
        await server.until(lambda: thread.messages[-1].content == "ahoy what could go wrong?")
        await crew.client.places.idle()
    async with aboard(server, ann.id, steward=steward, mind=mind, home=tmp_path):
        server.say(ann, thread, "and now?")
        await server.until(lambda: thread.messages[-1].content == "ahoy and now?")
    for wish in mind.wishes:
        facts, change = wish.attachments
        assert (facts.name, change.name) == ("proposal-1.txt", "proposal-1.diff")
        assert "Goal: when I roll several dice" in facts.text
        assert "Gate: passed" in facts.text
        assert "+    total = sum(thrown)" in change.text
    assert len(mind.wishes) == 2


async def test_what_people_say_to_each_other_there_is_left_alone(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A message in the thread that answers or names somebody else is not for the patch."""
    bob, steward, mind = server.user("bob", guild), steward_of(ann), ScriptedBrain()
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward, mind=mind) as crew:
        card = await shown(crew, server, ann, room)
        await pressed(server, ann, card, "Ask")
        thread = server.channel(card.id)
        first = server.say(bob, thread, "is it safe?")
        await server.until(lambda: thread.messages[-1].content == "ahoy is it safe?")
        server.say(ann, thread, f"<@{bob.id}> I think so")
        server.say(ann, thread, "yes", reply_to=first)
        server.say(ann, thread, "sure?")
        await server.until(lambda: thread.messages[-1].content == "ahoy sure?")
    assert len(mind.wishes) == 2


async def test_who_may_not_look_is_not_answered(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Somebody who may not look at proposals learns nothing in its thread."""
    bob, steward, mind = server.user("bob", guild), steward_of(ann), ScriptedBrain()
    steward.open(1)
    async with aboard(server, ann.id, steward=steward, mind=mind) as crew:
        card = await shown(crew, server, ann, room)
        await pressed(server, ann, card, "Ask")
        thread = server.channel(card.id)
        server.say(bob, thread, "what is it?")
        await server.until(lambda: thread.messages[-1].content.startswith("Only people who may look"))
    assert mind.wishes == []


async def test_without_a_model_what_is_known_is_shown(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where no model can answer, the button says so and shows what `/proposal` shows; no thread is opened."""
    async with reviewed(server, ann, room) as (_crew, _steward, card):
        told = await pressed(server, ann, card, "Ask")
    assert told.content.startswith(
        "Nobody can answer questions about it: none\nThis is what /proposal 1 shows:"
    )
    assert "Gate: passed" in told.content
    assert card.id not in server.world.channels


async def test_where_no_thread_can_be_a_sentence_says_so(server: DiscordServer, ann: User) -> None:
    """In direct messages there are no threads, and the button says what to do."""
    steward, direct = steward_of(ann), server.direct(ann)
    steward.open(1)
    steward.move(1, Stage.OPENED)
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain()) as crew:
        card = await shown(crew, server, ann, direct)
        told = await pressed(server, ann, card, "Ask")
    assert told.content.startswith("A thread hangs below a card on a server")


async def test_a_thread_that_was_deleted_is_not_pointed_at(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Whoever asks after the thread was deleted is told so, and what to do."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward, mind=ScriptedBrain()) as crew:
        card = await shown(crew, server, ann, room)
        await pressed(server, ann, card, "Ask")
        await crew.client.review.settled()
        del server.world.channels[card.id]
        told = await pressed(server, ann, card, "Ask")
    assert told.content.startswith("Its thread was deleted.")
