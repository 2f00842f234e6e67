"""Answers in SimCord: chains of replies, edits and deletes, and texts that are long or would ring."""

from tests.simcord.crew import aboard


async def test_a_long_answer_comes_in_pieces_that_are_taken() -> None:
    """Each message is short enough, though the answer is not."""
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} /again 60 {'word ' * 20}")
        said = [one for one in sim.room.history() if one.author == sim.client.user]
        assert len(said) > 2
        assert all(len(one.content) <= 2000 for one in said)


async def test_an_answer_rings_nowhere_though_it_is_copied_on() -> None:
    """Mentions in an answer are no mentions any more."""
    async with aboard() as sim:
        await sim.ann.send(sim.room, f"{sim.us} @everyone @here")
        answer = sim.room.last_message
        assert "@everyone" not in answer.content
        assert answer.mentions == []


async def test_a_reply_names_what_it_goes_on_from() -> None:
    """The question is handed on with its message, and with what stands above it."""
    async with aboard() as sim:
        said = await sim.bob.send(sim.room, "to the north")
        asked = await sim.ann.send(sim.room, f"{sim.us} is that right?", reply_to=said)
        wish = sim.brain.wishes[-1]
        assert wish.source == str(asked.id)
        assert [(one.name, one.text) for one in wish.before] == [("bob", "to the north")]
        assert wish.chain


async def test_an_edited_question_is_answered_anew_in_place() -> None:
    """The newest question of somebody, edited soon, changes its answer."""
    async with aboard() as sim:
        asked = await sim.ann.send(sim.room, f"{sim.us} helo")
        answer = sim.room.last_message
        await sim.ann.edit(asked, f"{sim.us} hello")
        assert sim.room.last_message.id == answer.id
        assert sim.room.last_message.content == "ahoy hello"


async def test_a_deleted_question_is_forgotten() -> None:
    """Chat is told which exchange is gone."""
    async with aboard() as sim:
        asked = await sim.ann.send(sim.room, f"{sim.us} hello")
        await sim.ann.delete(asked)
        assert sim.brain.forgotten == [(f"discord:{sim.guild.id}/{sim.room.id}", str(asked.id))]
