"""`/setup` in SimCord: shown to one person, its lists and its button change who may do what and where news go."""

from policies.rights import Grant
from tests.discord.office import Office
from tests.simcord.crew import Sim, aboard


async def test_people_roles_and_a_channel_are_chosen() -> None:
    """Each choice is answered once, the panel is changed in place, and what was chosen holds."""
    office = Office()
    async with aboard(office.answers) as sim:
        _allow(sim, office)
        role = sim.guild.create_role("mates")
        panel = await sim.ann.slash(sim.room, "setup")
        assert panel.ephemeral
        await sim.ann.select(panel.response, [sim.bob, role], custom_id="setup/approve")
        assert {one.who for one in office.grants if one.capability == "approve"} == {
            f"discord:{sim.bob.id}",
            f"discord:role/{role.id}",
        }
        await sim.ann.select(panel.response, [role], custom_id="setup/approve")
        assert Grant(f"discord:{sim.bob.id}", "approve") not in office.grants
        await sim.ann.select(panel.response, ["news"], custom_id="setup/topic")
        await sim.ann.select(panel.response, [sim.room], custom_id="setup/news")
        assert sim.client.setup.news.all() == {sim.guild.id: sim.room.id}
        await sim.ann.select(panel.response, ["chat"], custom_id="setup/topic")
        await sim.ann.click(panel.response, custom_id="setup/everyone/off")
        assert Grant("everyone", "chat", allowed=False) in office.grants


async def test_nobody_else_is_shown_the_panel() -> None:
    """Who may not set up gets one sentence, alone."""
    office = Office()
    async with aboard(office.answers) as sim:
        refused = await sim.bob.slash(sim.room, "setup")
        assert refused.ephemeral
        assert refused.response.content.startswith("Only the owner")
        assert refused.response.components == []


def _allow(sim: Sim, office: Office) -> None:
    """Let ann set up: in SimCord the application is its own."""
    sim.allow(sim.ann, "setup")
    office.grants = frozenset(sim.bot.grants)
