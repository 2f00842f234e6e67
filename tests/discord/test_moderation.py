"""Moderation on the stand-in: whoever may is asked back, and nothing happens before they press."""

from collections.abc import Callable
from datetime import datetime

import pytest

from bot.control.commands import Unclear
from bot.discord.incoming.inbox import State
from bot.discord.moderation.deeds import LONGEST_MUTE, Deed, Wanted, duration, lasting, read
from bot.discord.moderation.moderation import NOT_HERE
from tests.discord.clients import Clock
from tests.discord.crew import aboard
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.members import ADMINISTRATE, BAN, KICK, MUTE
from tests.fakes.discord.server import EVERYBODY_MAY, DiscordServer
from tests.fakes.discord.things import Channel, Guild, Member, Message, User
from tests.fakes.discord.typed import NotPossible

ALL = KICK | BAN | MUTE
WHOM = 123456789012345678


class Ranks:
    """A server on which the bot may moderate and stands above the moderators, who stand above everybody else."""

    def __init__(self, server: DiscordServer, guild: Guild) -> None:
        server.allow(guild, EVERYBODY_MAY & ~ALL)
        self.server, self.guild = server, guild
        self.low, self.mods = server.role(guild, "crew"), server.role(guild, "mods", ALL)
        self.bots = server.role(guild, "bots", ALL)
        self.of(server.bot).roles = [self.bots.id]
        self.ann, self.bob = server.user("ann", guild, roles=[self.mods]), server.user("bob", guild)

    def of(self, user: User) -> Member:
        """Somebody as a member."""
        return self.guild.members[user.id]


@pytest.fixture
def ranks(server: DiscordServer, guild: Guild) -> Ranks:
    """Such a server."""
    return Ranks(server, guild)


async def asked(server: DiscordServer, room: Channel, who: User, text: str) -> Message:
    """What somebody is answered who says something to the bot."""
    there = len(room.messages)
    server.say(who, room, f"<@{server.bot.id}> {text}")
    await server.until(lambda: [one for one in room.messages[there:] if one.author is server.bot])
    return room.messages[-1]


async def pressed(server: DiscordServer, who: User, message: Message, which: str = "yes") -> Interaction:
    """A press of one of its two buttons, with all that comes of it."""
    used = server.click(who, message, button(message, which))
    await server.until(lambda: used.done and not message.content.startswith("That is being"))
    return used


def button(message: Message, which: str = "yes") -> str:
    """The id of one of its two buttons."""
    (found,) = [one["custom_id"] for one in message.parts() if one.get("custom_id", "").endswith(f"/{which}")]
    return str(found)


async def test_somebody_is_muted_by_words_and_a_press(
    server: DiscordServer, room: Channel, ranks: Ranks
) -> None:
    """Words alone do nothing; the press does it, for that time, says who pressed, and the audit log names them with the reason."""
    async with aboard(server):
        question = await asked(
            server, room, ranks.ann, f"please mute <@{ranks.bob.id}> for 10 minutes because of spam"
        )
        assert question.content.startswith(f"Mute <@{ranks.bob.id}> (bob) for 10 minutes? Reason: spam")
        assert not ranks.guild.audit
        before = server.world.clock()
        await pressed(server, ranks.ann, question)
    (until,) = [datetime.fromisoformat(one).timestamp() for one in [ranks.of(ranks.bob).muted_until] if one]
    assert until - before >= 599
    assert ranks.guild.audit == [("mute", ranks.bob.id, f"ann ({ranks.ann.id}): spam")]
    assert question.content.startswith(f"<@{ranks.bob.id}> (bob) was muted for 10 minutes. Reason: spam")
    assert f"Pressed by <@{ranks.ann.id}>" in question.content
    assert question.pings <= {ranks.ann.id}
    assert question.parts() == []


@pytest.mark.parametrize("deed", ["kick", "ban"])
async def test_somebody_is_sent_away_by_a_command(
    server: DiscordServer, room: Channel, ranks: Ranks, deed: str
) -> None:
    """The slash command asks who used it alone; what was done is then told in the channel, and no messages are deleted."""
    async with aboard(server):
        used = server.slash(
            ranks.ann, room, f"moderate {deed}", who=ranks.bob, reason="sells *watches* @everyone"
        )
        await server.until(lambda: used.done)
        assert used.original is not None
        assert used.original.ephemeral
        assert ranks.bob.id in ranks.guild.members
        await pressed(server, ranks.ann, used.original)
        await server.until(lambda: room.messages)
    assert ranks.bob.id not in ranks.guild.members
    assert ranks.guild.audit == [(deed, ranks.bob.id, f"ann ({ranks.ann.id}): sells *watches* @everyone")]
    assert room.messages[-1].content.startswith(f"<@{ranks.bob.id}> (bob) was {Deed(deed).done}")
    assert room.messages[-1].pings == frozenset()
    bans = server.rest.made("PUT", "/guilds/{guild_id}/bans/{user_id}")
    assert [one.query for one in bans] == [{"delete_message_seconds": "0"}] * (deed == "ban")


async def test_only_who_asked_presses_and_once(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """Another moderator's press does nothing and says why; of presses at once one counts, and no other hides what came of it."""
    mod = server.user("mod", ranks.guild, roles=[ranks.mods])
    async with aboard(server):
        question = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        refused = await pressed(server, mod, question)
        assert refused.original is not None
        assert refused.original.ephemeral
        assert "for who asked" in refused.text
        assert not ranks.guild.audit
        clicks = [server.click(who, question, button(question)) for who in (ranks.ann, ranks.ann, mod)]
        await server.until(lambda: all(one.answered for one in clicks) and ranks.guild.audit)
        await server.until(lambda: "was kicked" in question.content)
    assert len(ranks.guild.audit) == 1
    assert not any("nothing was done" in content for content in question.contents)
    assert ("pressed already" in clicks[1].text, "for who asked" in clicks[2].text) == (True, True)
    with pytest.raises(NotPossible):
        server.click(ranks.ann, question, f"mod/{question.id}/yes")


async def test_it_can_be_left(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """Who asked can leave it, and the message says that nothing was done and who left it."""
    async with aboard(server):
        question = await asked(server, room, ranks.ann, f"ban <@{ranks.bob.id}>")
        await pressed(server, ranks.ann, question, "no")
    assert question.content == f"Nothing was done: <@{ranks.ann.id}> left it."
    assert not ranks.guild.audit


async def test_it_runs_out(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """After two minutes the button does nothing any more, and neither does it for another process."""
    now = Clock()
    async with aboard(server) as crew:
        crew.client.moderation.clock = now
        question = await asked(server, room, ranks.ann, f"ban <@{ranks.bob.id}>")
        now.seconds += 121
        await pressed(server, ranks.ann, question)
        assert "run out" in question.content
        other = await asked(server, room, ranks.ann, f"ban <@{ranks.bob.id}>")
    async with aboard(server):
        await pressed(server, ranks.ann, other)
    assert "run out" in other.content
    assert not ranks.guild.audit


async def test_rights_count_at_the_press(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """Who has lost the role meanwhile, or whose target has risen, is told so, and nothing is done."""
    async with aboard(server):
        first = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        second = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        ranks.of(ranks.bob).roles = [ranks.mods.id]
        await pressed(server, ranks.ann, first)
        ranks.of(ranks.ann).roles = []
        await pressed(server, ranks.ann, second)
    assert "is not below yours" in first.content
    assert "you need the permission **Kick Members**" in second.content
    assert not ranks.guild.audit


async def test_rights_are_looked_at_last(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """Who loses the role while Discord is slow to say whom it is about has not pressed with any right."""
    async with aboard(server):
        question = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        release = server.faults.hold("GET /guilds/*/members/*")
        server.click(ranks.ann, question, button(question))
        await server.until(lambda: question.content.startswith("That is being"))
        ranks.of(ranks.ann).roles = []
        release.set()
        await server.until(lambda: not question.content.startswith("That is being"))
    assert "you need the permission **Kick Members**" in question.content
    assert not ranks.guild.audit


async def test_what_can_be_no_id_is_nobody(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """An id that Discord does not take as one is told like one that nobody has."""
    async with aboard(server):
        server.faults.fail("GET /guilds/*/members/*", 400, code=50035)
        question = await asked(server, room, ranks.ann, "kick <@99999999999999999999>")
    assert question.content == NOT_HERE


class Case:
    """Somebody who asks for something to be done to bob, and what stands against it; each method makes one such case."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.asker, self.whom, self.time = ranks, ranks.ann, f"<@{ranks.bob.id}>", ""
        self.deed = "kick"

    def without_the_permission(self) -> None:
        """Who asks may not do such a thing."""
        self.asker = self.ranks.server.user("eve", self.ranks.guild, roles=[self.ranks.low])

    def to_oneself(self) -> None:
        """Somebody names themselves."""
        self.whom = f"<@{self.asker.id}>"

    def to_the_owner(self) -> None:
        """Somebody names the owner of the server."""
        self.whom = f"<@{self.ranks.guild.owner.id}>"

    def as_high(self) -> None:
        """Bob has the same role as who asks."""
        self.ranks.of(self.ranks.bob).roles = [self.ranks.mods.id]

    def above_the_bot(self) -> None:
        """Bob stands below who asks, and above the bot."""
        captains = self.ranks.server.role(self.ranks.guild, "captains")
        self.ranks.of(self.ranks.bob).roles, self.asker = [captains.id], self.ranks.guild.owner

    def where_the_bot_may_not(self) -> None:
        """The bot lacks the permission."""
        self.ranks.bots.permissions = 0

    def to_a_stranger(self) -> None:
        """Who is named is not on the server."""
        self.whom = f"<@{self.ranks.server.world.user('nobody').id}>"

    def to_a_role(self) -> None:
        """A role is named."""
        self.whom = f"<@&{self.ranks.low.id}>"

    def to_two(self) -> None:
        """Two are named."""
        self.whom += f" and <@{self.ranks.guild.owner.id}>"

    def by_name(self) -> None:
        """A name was typed that Discord did not make a mention of."""
        self.whom = "@bob"

    def to_an_administrator(self) -> None:
        """Bob is an administrator, of a role below the bot's."""
        chiefs = self.ranks.server.role(self.ranks.guild, "chiefs", ADMINISTRATE)
        chiefs.position, self.ranks.bots.position = 2, 9
        self.ranks.of(self.ranks.bob).roles, self.asker = [chiefs.id], self.ranks.guild.owner
        self.deed, self.time = "mute", " 1h"

    def with_a_time(self) -> None:
        """A kick is to last."""
        self.time = " for two days"

    def without_a_time(self) -> None:
        """A mute is not to end."""
        self.deed = "mute"

    def for_too_long(self) -> None:
        """A mute is to last longer than any."""
        self.deed, self.time = "mute", " for 5 weeks"


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (Case.without_the_permission, "you need the permission **Kick Members**"),
        (Case.to_oneself, "You cannot kick yourself"),
        (Case.to_the_owner, "owns this server"),
        (Case.as_high, "is not below yours"),
        (Case.above_the_bot, "is not below mine"),
        (Case.where_the_bot_may_not, "I lack the permission **Kick Members**"),
        (Case.to_a_stranger, "Nobody of that name or id is a member"),
        (Case.to_a_role, "one member at a time"),
        (Case.to_two, "one member at a time"),
        (Case.by_name, "one member at a time"),
        (Case.to_an_administrator, "lets nobody mute"),
        (Case.with_a_time, "A kick has no end"),
        (Case.without_a_time, "Say for how long"),
        (Case.for_too_long, "at most 28 days"),
    ],
)
async def test_each_no_is_a_sentence(
    server: DiscordServer, room: Channel, ranks: Ranks, case: Callable[[Case], None], says: str
) -> None:
    """Whatever stands against it is said to who asked, without a button, and nothing is asked of Discord."""
    case(one := Case(ranks))
    async with aboard(server):
        said = await asked(server, room, one.asker, f"{one.deed} {one.whom}{one.time}")
    assert says in said.content
    assert said.parts() == []
    assert not ranks.guild.audit


async def test_between_two_nobody_is_moderated(server: DiscordServer, ranks: Ranks) -> None:
    """In direct messages there are no members, and the command is not offered there."""
    async with aboard(server):
        said = await asked(server, server.direct(ranks.ann), ranks.ann, f"kick <@{ranks.bob.id}>")
        (group,) = [one for one in server.world.commands[""] if one["name"] == "moderate"]
    assert "on a server" in said.content
    assert group["contexts"] == [0]


async def test_the_owner_of_a_server_needs_no_role(
    server: DiscordServer, room: Channel, ranks: Ranks
) -> None:
    """Whoever owns the server stands above everybody there, also without a role."""
    async with aboard(server):
        question = await asked(server, room, ranks.guild.owner, f"kick <@{ranks.ann.id}>")
        await pressed(server, ranks.guild.owner, question)
    assert [one[:2] for one in ranks.guild.audit] == [("kick", ranks.ann.id)]


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((403, 50013), "did not let me"),
        ((403, 60003), "two-factor"),
        ((404, 10007), "no member of this server any more"),
        ((400, 0), "its audit log shows it"),
    ],
)
async def test_what_discord_refuses_is_said(
    server: DiscordServer, room: Channel, ranks: Ranks, refusal: tuple[int, int], says: str
) -> None:
    """Where Discord does not do it after all, who pressed is told what became of it."""
    async with aboard(server):
        question = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        server.faults.fail("DELETE /guilds/*", refusal[0], code=refusal[1])
        await pressed(server, ranks.ann, question)
    assert says in question.content
    assert not ranks.guild.audit


async def test_a_press_that_came_too_late_does_nothing(
    server: DiscordServer, room: Channel, ranks: Ranks
) -> None:
    """What Discord has given up on is not done behind the back of who pressed."""
    async with aboard(server) as crew:
        question = await asked(server, room, ranks.ann, f"kick <@{ranks.bob.id}>")
        server.faults.fail("POST /interactions/*/callback", 404, code=10062)
        used = server.click(ranks.ann, question, button(question))
        await asked(server, room, ranks.ann, "hello")
        row = crew.client.inbox.row(int(used.id))
    assert row is not None
    assert row.state == State.LOST
    assert not ranks.guild.audit


async def test_a_model_alone_moderates_nobody(server: DiscordServer, room: Channel, ranks: Ranks) -> None:
    """What live code answers is text: an answer that reads like a command, or like an id of a button, does nothing."""
    async with aboard(server):
        said = await asked(server, room, ranks.ann, f"say mute <@{ranks.bob.id}> for 10 minutes")
    assert said.content.startswith("ahoy")
    assert said.parts() == []
    assert not ranks.guild.audit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"mute <@{WHOM}> for 10 minutes", Wanted(Deed.MUTE, WHOM, 600)),
        (f"Mute <@!{WHOM}> 1h30m: being loud", Wanted(Deed.MUTE, WHOM, 5400, "being loud")),
        (
            f"could you please time out <@{WHOM}> for being rude for half an hour",
            Wanted(Deed.MUTE, WHOM, 1800, "being rude"),
        ),
        (f"silence {WHOM} for an hour and 5 min", Wanted(Deed.MUTE, WHOM, 3900)),
        (f"/moderate mute <@{WHOM}> 28 days", Wanted(Deed.MUTE, WHOM, LONGEST_MUTE)),
        (
            f"ban <@{WHOM}> for posting 3 minutes of noise",
            Wanted(Deed.BAN, WHOM, 0, "posting 3 minutes of noise"),
        ),
        (f"kick <@{WHOM}> because of\nspam", Wanted(Deed.KICK, WHOM, 0, "spam")),
        (f"can you ban <@{WHOM}>?", Wanted(Deed.BAN, WHOM)),
        (f"ban <@{WHOM}>'s last message", None),
        ("ban plastic bags", None),
        (f"should we ban <@{WHOM}>?", None),
        (f"do not kick <@{WHOM}>", None),
        ("mute", None),
    ],
)
def test_words_are_read(text: str, found: Wanted | None) -> None:
    """A deed with a mention behind it is read with its time and its reason; anything else is chat."""
    assert read(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "/moderate",
        "/moderate bob",
        f"/moderate praise <@{WHOM}>",
        f"mute <@{WHOM}> for 0 minutes",
        f"mute <@{WHOM}> for a while",
        f"mute <@{WHOM}> for an hour and a half",
        f"mute <@{WHOM}> 1 h 30",
        f"kick <@{WHOM}> and ban <@7>",
        f"kick <@{WHOM}>; then kick <@7>",
        f"mute <@{WHOM}>, please also <@7> for 5 minutes",
        f"mute <@{WHOM}> 99999999 weeks",
        f"kick <@{WHOM}> {'x' * 401}",
        "kick @everyone",
    ],
)
def test_what_is_unclear_is_asked_back(text: str) -> None:
    """Whatever is no whole wish says what to say instead."""
    assert isinstance(read(text), Unclear)


def test_times_are_read_and_said() -> None:
    """A time is read in its usual spellings, and said in words."""
    spelled = {
        "90s": 90,
        "2 hrs": 7200,
        "1 day, 2 hours and 3 min": 93_780,
        "1.5h": 5400,
        "two weeks": 1_209_600,
    }
    assert {text: duration(text) for text in spelled} == spelled
    assert [duration(text) for text in ("", "10", "m", "10 metres", "-5 minutes", "soon")] == [None] * 6
    assert lasting(93_780) == "1 day, 2 hours and 3 minutes"
