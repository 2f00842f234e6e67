"""A proposal reviewed in SimCord: its card, the second click, pages, the form, and the thread."""

from policies.load import load_rules
from tests.fakes.life import LivingSteward, head_of
from tests.simcord.crew import Sim, aboard


def living() -> LivingSteward:
    """A steward with an open proposal; the operator asked for it."""
    steward = LivingSteward(load_rules())
    steward.open(1)
    return steward


def part(sim: Sim, name: str) -> str:
    """What a part of the card says, which is the first message of the room."""
    (embed,) = sim.room.history()[0].embeds
    return next((field.value or "" for field in embed.fields if (field.name or "").startswith(name)), "")


async def test_a_proposal_is_approved_with_two_clicks() -> None:
    """The card is shown, the question is asked alone, and the card says by whom it was approved."""
    steward = living()
    async with aboard(steward=steward) as sim:
        approval = steward.rules.approval.model_copy(update={"maintainers": (f"discord:{sim.ann.id}",)})
        steward.rules = steward.rules.model_copy(update={"approval": approval})
        sim.allow(sim.ann, "see")
        sim.allow(sim.ann, "approve")
        await sim.ann.slash(sim.room, "proposal", number=1)
        card = sim.room.last_message
        refused = await sim.bob.click(card, label="Approve")
        assert refused.ephemeral
        assert refused.response.content.startswith("Only ")
        question = await sim.ann.click(card, label="Approve")
        assert question.ephemeral
        assert head_of(1)[:12] in question.response.content
        await sim.ann.click(question.response, label="Approve")
        await sim.client.review.settled()
        assert "live, and watched" in part(sim, "Stage")
        assert part(sim, "Approved by") == f"<@{sim.ann.id}>"


async def test_a_proposal_is_turned_down_with_a_reason() -> None:
    """The form's reason is on the card."""
    async with aboard(steward=living()) as sim:
        sim.allow(sim.ann, "see")
        sim.allow(sim.ann, "approve")
        await sim.ann.slash(sim.room, "proposal", number=1)
        opened = await sim.ann.click(sim.room.last_message, label="Reject")
        assert opened.modal is not None
        told = await sim.ann.submit_modal(opened, {"why": "too loud"})
        assert told.ephemeral
        await sim.client.review.settled()
        assert part(sim, "Turned down").endswith("> too loud")


async def test_a_change_is_read_page_by_page() -> None:
    """Pages are turned by button and by list, for one person."""
    async with aboard(steward=living()) as sim:
        sim.allow(sim.ann, "see")
        reading = await sim.ann.slash(sim.room, "diff", number=1)
        assert reading.ephemeral
        assert "file 1 of 2" in reading.response.content
        await sim.ann.click(reading.response, label="Next")
        assert "file 2 of 2" in reading.response.content
        await sim.ann.select(reading.response, ["0"])
        assert "file 1 of 2" in reading.response.content


async def test_a_patch_is_asked_in_its_thread() -> None:
    """The button opens a thread, in which questions are answered with the proposal beside them."""
    async with aboard(steward=living()) as sim:
        sim.brain._missing = None
        sim.allow(sim.ann, "see")
        await sim.ann.slash(sim.room, "proposal", number=1)
        told = await sim.ann.click(sim.room.last_message, label="Ask")
        assert told.response.content.startswith("Ask here: <#")
