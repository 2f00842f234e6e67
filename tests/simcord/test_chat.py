"""Chat in SimCord: by mention, reply and direct message, short and long, and where something is not allowed."""

import discord

from selfedit import protocol as say
from tests.fakes.plans import echo
from tests.simcord.crew import aboard


async def test_a_mention_is_answered() -> None:
    """Who mentions the bot is answered below, and nobody is woken by it."""
    async with aboard() as sim:
        asked = await sim.ann.send(sim.room, f"{sim.us} hello")
        answer = sim.room.last_message
        assert answer.content == "ahoy hello"
        assert answer.reference.message_id == asked.id
        assert answer.mentions == []


async def test_what_is_not_for_the_bot_is_left_alone() -> None:
    """People who talk with each other are not interrupted."""
    async with aboard() as sim:
        asked = await sim.ann.send(sim.room, "hello bob")
        assert sim.room.last_message.id == asked.id


async def test_a_reply_goes_on() -> None:
    """A reply to an answer is answered, without a mention."""
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} hello")
        await sim.ann.send(sim.room, "and again", reply_to=sim.room.last_message)
        assert sim.room.last_message.content == "ahoy and again"


async def test_direct_messages_are_answered() -> None:
    """In direct messages everything is meant for the bot."""
    async with aboard() as sim:
        await sim.ann.send_dm("hello")
        assert sim.ann.user.dm_channel.last_message.content == "ahoy hello"


async def test_in_a_thread_the_answer_stays_there() -> None:
    """Who asks in a thread is answered in that thread."""
    async with aboard() as sim:
        started = await sim.ann.send(sim.room, "a talk")
        room = sim.client.get_channel(sim.room.id)
        assert isinstance(room, discord.TextChannel)
        await room.create_thread(name="talk", message=discord.Object(started.id))
        await sim.env.settle()
        (thread,) = sim.room.threads
        await sim.ann.send(thread, f"{sim.us} hello")
        assert thread.last_message.content == "ahoy hello"
        assert "ahoy hello" not in [one.content for one in sim.room.history()]


async def test_other_live_code_is_swapped_in_between_two_messages() -> None:
    """What is said after a swap is answered by the new code; nothing is answered twice."""
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} hello")
        await sim.bot.hear(say.Load(plan=echo("hey", commit="ad")))
        await sim.ann.send(sim.room, f"{sim.us} hello")
        said = [one.content for one in sim.room.history() if one.author.bot]
    assert said == ["ahoy hello", "hey hello"]


async def test_a_long_answer_comes_whole() -> None:
    """A long answer comes in several messages, each of a length that Discord takes."""
    words = [f"word{at}" for at in range(150)]
    async with aboard() as sim:
        asked = await sim.ann.send(sim.room, f"{sim.us} /again 4 {' '.join(words)}")
        answers = [one for one in sim.room.history() if one.id > asked.id]
        assert len(answers) > 1
        assert sorted(" ".join(one.content for one in answers).split()) == sorted(words * 4)


async def test_an_endless_answer_is_a_file() -> None:
    """What would push everything else away comes as a file."""
    text = "x " * 900
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} /again 12 {text}")
        (file,) = sim.room.last_message.attachments
        assert file.filename == "answer.md"


async def test_a_file_is_read() -> None:
    """What comes along with a message reaches chat."""
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} read", attachments=[("notes.txt", b"some notes")])
        wish = sim.brain.wishes[-1]
    assert [(each.name, each.text) for each in wish.attachments] == [("notes.txt", "some notes")]


async def test_where_the_bot_may_not_speak_it_stays_silent() -> None:
    """Where the bot may not send messages nothing comes, and nothing fails."""
    async with aboard() as sim:
        closed = sim.guild.create_text_channel(
            "closed", overwrites={sim.client.user: discord.PermissionOverwrite(send_messages=False)}
        )
        await sim.ann.send(closed, f"{sim.us} hello")
        assert closed.last_message.author.id == sim.ann.id


async def test_an_error_of_discord_is_waited_out() -> None:
    """Where Discord fails once, the answer comes all the same, and once."""
    async with aboard() as sim:
        sim.env.inject_error("POST", "/channels/*/messages", status=500)
        asked = await sim.ann.send(sim.room, f"{sim.us} hello")
        await sim.env.advance_time(60)
        assert [one.content for one in sim.room.history() if one.id > asked.id] == ["ahoy hello"]
