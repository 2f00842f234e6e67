"""Moderation in SimCord, which has rules of its own for permissions, the order of roles and the audit log."""

import discord

from tests.simcord.crew import Sim, aboard

ALL = discord.Permissions(kick_members=True, ban_members=True, moderate_members=True)


async def test_a_member_is_muted_and_then_banned() -> None:
    """A moderator's press mutes and bans whom it names; the audit log has the reason with who gave it."""
    async with aboard() as sim:
        _let_moderate(sim)
        used = await sim.ann.slash(sim.room, "moderate mute", who=sim.bob, time="10m", reason="spam")
        assert used.ephemeral
        assert "for 10 minutes? Reason: spam" in used.response.content
        there = sim.env.backend.get_guild(sim.guild.id)
        assert there.members[sim.bob.id].timed_out_until is None
        await sim.ann.click(used.response, label="Mute")
        assert there.members[sim.bob.id].timed_out_until is not None
        question = await sim.ann.slash(sim.room, "moderate ban", who=sim.bob)
        await sim.ann.click(question.response, label="Ban")
    assert there.bans == {sim.bob.id: f"ann ({sim.ann.id}): no reason was given"}


async def test_nobody_else_moderates() -> None:
    """Who lacks the permission is told so, alone, and shown no button."""
    async with aboard() as sim:
        _let_moderate(sim)
        refused = await sim.bob.slash(sim.room, "moderate kick", who=sim.ann)
        assert refused.ephemeral
        assert "you need the permission **Kick Members**" in refused.response.content
        assert refused.response.components == []


def _let_moderate(sim: Sim) -> None:
    """Give ann and the bot a role each with which they may, the bot's above hers."""
    for name, user in (("mods", sim.ann.id), ("bots", sim.env.backend.bot_user.id)):
        role = sim.guild.create_role(name, permissions=ALL)
        sim.env.backend.add_member_role(sim.guild.id, user, role.id)
