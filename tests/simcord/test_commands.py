"""Slash commands, their fields and the context menu in SimCord, which lets people use only what is registered."""

import discord

from bot.discord.commands import menus
from selfedit import protocol as say
from selfedit.types import Stage
from tests.fakes.steward import Answers, proposal
from tests.simcord.crew import aboard


async def test_chat_has_fields() -> None:
    """A question with its fields is answered in place, as it was wished for."""
    async with aboard() as sim:
        used = await sim.ann.slash(
            sim.room, "chat", prompt="hello", model="vendor/small", force_tools="calculate", combine=False
        )
        wish = sim.brain.wishes[-1]
        assert used.response.content == "ahoy hello"
        assert not used.ephemeral
    assert (wish.model, wish.tools, wish.combine) == ("vendor/small", "calculate", False)


async def test_a_private_question_is_answered_alone() -> None:
    """What is asked in private is seen by nobody else."""
    async with aboard() as sim:
        used = await sim.ann.slash(sim.room, "chat", prompt="hello", private=True)
        assert used.ephemeral
        assert used.response.content == "ahoy hello"
        assert sim.brain.wishes[-1].private


async def test_the_old_option_still_works() -> None:
    """`web_search` is understood, and the answer says what replaces it."""
    async with aboard() as sim:
        used = await sim.ann.slash(sim.room, "chat", prompt="news", web_search=True)
        assert "`force_tools`" in used.response.content
        assert sim.brain.wishes[-1].tools == "search_web"


async def test_a_model_is_offered() -> None:
    """While a model is typed, those that fit are offered."""
    async with aboard() as sim:
        sim.brain.models = ["vendor/small", "local/tiny"]
        offered = await sim.ann.autocomplete(sim.room, "chat", "model", "tin")
    assert [one["value"] for one in offered] == ["local/tiny"]


async def test_a_live_command_works() -> None:
    """A command of live code is registered, and answered."""
    async with aboard() as sim:
        used = await sim.ann.slash(sim.room, "again", text="2 hello")
        assert used.response.content.split() == ["hello", "hello"]


async def test_control_is_refused_and_allowed() -> None:
    """Who may not use a command is told so alone; who may is answered."""
    async with aboard() as sim:
        refused = await sim.bob.slash(sim.room, "halt")
        assert refused.ephemeral
        assert refused.response.content.startswith("Only ")
        assert sim.steward.kinds() == []
        sim.allow(sim.ann, "see")
        used = await sim.ann.slash(sim.room, "status")
        assert used.response.embeds
        assert "Status" in sim.steward.kinds()


async def test_a_card_is_refused_to_one_and_obeys_another() -> None:
    """The buttons of a card are for those who may press them, at the moment of the press."""
    one = proposal(3, Stage.OPENED, title="Roll fair dice")
    answers: Answers = {
        say.Show: lambda _: say.ProposalIs(proposal=one),
        say.Reject: lambda _: say.ProposalIs(proposal=one),
    }
    async with aboard(answers) as sim:
        sim.allow(sim.ann, "see")
        sim.allow(sim.ann, "approve")
        shown = await sim.ann.slash(sim.room, "proposal", number=3)
        card = shown.response
        assert card.embeds
        refused = await sim.bob.click(card, label="Approve")
        assert refused.ephemeral
        assert refused.response.content.startswith("Only ")
        asked = await sim.ann.click(card, label="Approve")
        assert asked.ephemeral
        assert "Approve proposal 3" in asked.response.content


async def test_a_failing_answer_says_so() -> None:
    """Where Discord does not take an answer the first time, it comes all the same."""
    async with aboard() as sim:
        sim.env.inject_error("PATCH", "/webhooks/*", status=500)
        used = await sim.ann.slash(sim.room, "chat", prompt="hello")
        await sim.env.advance_time(60)
        assert used.response.content == "ahoy hello"


async def test_proposals_are_offered() -> None:
    """While a number is typed, proposals are offered with their titles to whoever may see them."""
    several = say.ProposalsAre(proposals=(proposal(3, Stage.OPENED, title="Roll fair dice"),))
    async with aboard({say.Proposals: lambda _: several}) as sim:
        sim.allow(sim.ann, "see")
        offered = await sim.ann.autocomplete(sim.room, "approve", "number", "dice")
        nothing = await sim.bob.autocomplete(sim.room, "approve", "number", "")
    assert [(one["value"], one["name"]) for one in offered] == [(3, "3 · Roll fair dice (opened)")]
    assert nothing == []


async def test_a_message_is_asked_about() -> None:
    """A form asks for the question; the answer stands below the message."""
    async with aboard() as sim:
        about = await sim.bob.send(sim.room, "the sea")
        opened = await sim.ann.context_menu(sim.room, menus.ASK, about)
        sent = await sim.ann.submit_modal(opened, {"prompt": "Which one?", "seen_by": ["everyone"]})
        answer = sim.room.last_message
        assert sent.ephemeral
        assert answer.reference.message_id == about.id
        assert answer.content.endswith("ahoy Which one?")
        assert "the sea" in sim.brain.wishes[-1].attachments[0].text


async def test_where_the_bot_may_not_speak_the_answer_is_for_who_asked() -> None:
    """Where the answer may not be sent below the message, who asked gets it alone."""
    async with aboard() as sim:
        closed = sim.guild.create_text_channel(
            "closed", overwrites={sim.client.user: discord.PermissionOverwrite(send_messages=False)}
        )
        about = await sim.bob.send(closed, "the sea")
        opened = await sim.ann.context_menu(closed, menus.ASK, about)
        sent = await sim.ann.submit_modal(opened, {"prompt": "Which one?", "seen_by": ["everyone"]})
        assert sent.ephemeral
        assert sent.response.content == "ahoy Which one?"
        assert closed.last_message.id in (about.id, sent.response.id)


async def test_a_summary_is_for_who_asked() -> None:
    """What was said from a message on is summarised for one person."""
    async with aboard() as sim:
        first = await sim.bob.send(sim.room, "shall we sail?")
        await sim.ann.send(sim.room, "at dawn")
        used = await sim.ann.context_menu(sim.room, menus.SUMMARISE, first)
        assert used.ephemeral
        assert used.response.content.startswith("ahoy Summarise")
        assert "at dawn" in sim.brain.wishes[-1].attachments[0].text


async def test_a_message_becomes_a_goal() -> None:
    """Who may propose gets a form with the message in it; who may not is told so."""
    async with aboard() as sim:
        about = await sim.bob.send(sim.room, "the dice are unfair")
        refused = await sim.bob.context_menu(sim.room, menus.IMPROVE, about)
        assert refused.response.content.startswith("Only ")
        sim.allow(sim.ann, "propose")
        sim.brain._missing = None
        opened = await sim.ann.context_menu(sim.room, menus.IMPROVE, about)
        await sim.ann.submit_modal(opened, {"goal": "Make the dice fair."})
        asked = [body.request.goal for body in sim.steward.asked if isinstance(body, say.Improve)]
    assert asked == ["Make the dice fair."]
