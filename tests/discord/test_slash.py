"""The bot's slash commands: what Discord is told of, and how one is answered."""

import asyncio
from typing import cast

import pytest

from agent.calling.toolbox import Toolbox
from bot.discord.incoming.inbox import State
from selfedit import protocol as say
from tests.discord.clients import Clock
from tests.discord.crew import AGAIN, aboard
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.interactions import DEFERRED
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.discord.typed import INTEGER, STRING, NotPossible
from tests.fakes.plans import echo
from tests.fakes.steward import STATUS

SYNC = ("PUT", "/applications/{application_id}/commands")


async def test_what_works_is_offered(server: DiscordServer, room: Channel, ann: User) -> None:
    """Live and control commands are offered with what they do and take; those of the console are not."""
    async with aboard(server):
        offered = {one["name"]: one for one in server.world.commands[""]}
    assert {"say", "again", "improve", "approve", "status"} < set(offered)
    assert not {"quit", "attach"} & set(offered)
    assert offered["say"]["description"] == "says a word"
    fields = {
        name: [(one["name"], one["type"], one["required"]) for one in about["options"]]
        for name, about in offered.items()
        if name != "moderate"
    }
    assert {one["name"] for one in offered["moderate"]["options"]} == {"kick", "ban", "mute"}
    assert fields["again"] == [("text", STRING, True)]
    assert fields["approve"] == [("number", INTEGER, True)]
    assert fields["reject"] == [("number", INTEGER, True), ("reason", STRING, False)]
    assert fields["rollback"] == [("number", INTEGER, False), ("reason", STRING, False)]
    assert fields["improve"] == [("goal", STRING, False)]
    assert fields["status"] == []
    chat = {one["name"]: one for one in offered["chat"]["options"]}
    assert {
        "prompt",
        "model",
        "tool_calling",
        "force_tools",
        "file",
        "file_4",
        "combine",
        "private",
        "web_search",
    } < set(chat)
    assert [name for name, one in chat.items() if one.get("autocomplete")] == ["model", "force_tools"]
    assert all(1 < len(one["description"]) <= 100 for about in offered.values() for one in about["options"])
    with pytest.raises(NotPossible):
        server.slash(ann, room, "approve")


async def test_a_live_command_is_answered_in_place(server: DiscordServer, room: Channel, ann: User) -> None:
    """Using a command is promised an answer at once, which then stands in that place and wakes nobody."""
    async with aboard(server):
        used = server.slash(ann, room, "chat", prompt="hello @everyone")
        await server.until(lambda: used.done)
    assert used.answered == DEFERRED
    assert used.text == "ahoy hello @\u200beveryone"
    assert used.original is not None
    assert used.original.pings == frozenset()


async def test_control_is_for_maintainers(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A maintainer's command reaches the steward, anybody else's does not."""
    bob = server.user("bob", guild)
    async with aboard(server, ann.id, answers={say.Status: lambda _: STATUS}) as crew:
        refused = server.slash(bob, room, "halt")
        await server.until(lambda: refused.done)
        assert crew.steward.kinds() == []
        used = server.slash(ann, room, "status")
        await server.until(lambda: used.done)
        assert crew.steward.kinds() == ["Status"]
    assert refused.text.startswith("Only ")
    assert [one.content for one in room.ephemeral][:1] == [refused.text]
    assert used.original is not None
    assert used.original.data["embeds"]


async def test_nothing_is_registered_twice(server: DiscordServer) -> None:
    """A restart with the same commands tells Discord nothing."""
    for _ in range(2):
        async with aboard(server):
            pass
    assert len(server.rest.made(*SYNC)) == 1


async def test_commands_of_new_live_code_are_offered(server: DiscordServer, room: Channel, ann: User) -> None:
    """When a generation brings other commands Discord hears of it, and what is gone answers with a hint."""
    async with aboard(server, register_seconds=0.01) as crew:
        await crew.load(echo("ahoy", commit="ad", name="shout"))
        await server.until(lambda: "shout" in {one["name"] for one in server.world.commands[""]})
        used = server.slash(ann, room, "shout")
        await server.until(lambda: used.done)
        assert "again" not in {one["name"] for one in server.world.commands[""]}
    assert used.text == "ahoy"


async def test_a_command_that_is_gone_says_so(server: DiscordServer, room: Channel, ann: User) -> None:
    """Who still sees a command that is not there any more is told, and alone."""
    async with aboard(server) as crew:
        await crew.load(echo("ahoy", commit="ad", name="shout"))
        used = server.slash(ann, room, "again", text="2 x")
        await server.until(lambda: used.done)
        assert "no command /again" in used.text
        await crew.client.tree.register()
        server.world.commands[""].append({**server.world.commands[""][0], "name": "ghost", "options": []})
        ghost = server.slash(ann, room, "ghost")
        await server.until(lambda: ghost.done)
    assert "not there any more" in ghost.text
    assert [one.content for one in room.ephemeral] == [ghost.text]


async def test_a_command_that_fails_says_so(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of the bot leaves nobody waiting, and the log has it."""
    async with aboard(server, ann.id) as crew:
        crew.bot.peer = cast("say.Peer", object())  # something that cannot be asked at all
        used = server.slash(ann, room, "status")
        await server.until(lambda: used.done)
    assert used.text == "Sorry, that failed, and it is written down; try again."
    assert "a command failed" in caplog.text


async def test_a_long_answer_is_told_in_order(server: DiscordServer, room: Channel, ann: User) -> None:
    """What takes several messages follows the first one; what takes too many comes as a file with it."""
    words = " ".join(f"word{at}" for at in range(200))
    async with aboard(server):
        used = server.slash(ann, room, "again", text=f"4 {words}")
        await server.until(lambda: len(used.followups) == 3)
        assert " ".join(one.content for one in room.messages).split() == words.split() * 4
        endless = server.slash(ann, room, "again", text=f"20 {words}")
        await server.until(lambda: endless.done)
    assert endless.original is not None
    assert [one["filename"] for one in endless.original.data["attachments"]] == ["answer.md"]
    assert endless.followups == []


async def test_an_answer_that_took_too_long_comes_as_a_message(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where the promise cannot be kept any more, the answer is told in the channel, and to whom it belongs."""
    server.world.clock = now = Clock()
    async with aboard(server):
        go_on = server.faults.hold("PATCH /webhooks/*")
        used = server.slash(ann, room, "say")
        await server.until(lambda: bool(used.answered))
        now.seconds += 1000
        go_on.set()
        await server.until(lambda: len(room.messages) == 3)
    assert used.original is not None
    assert used.original.loading
    assert room.messages[1].content == "This is for ann, who used /say a while ago:"
    assert room.messages[2].content == "ahoy"


async def test_a_command_that_came_too_late_is_not_carried_out(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """What Discord has given up on is not done behind the back of whoever asked for it."""
    server.world.clock = now = Clock()
    async with aboard(server, ann.id) as crew:
        callback = "POST /interactions/*/callback"
        go_on = server.faults.hold(callback)
        used = server.slash(ann, room, "resume")
        now.seconds += 4
        go_on.set()
        await server.until(lambda: used.tries)
        again = server.slash(ann, room, "say")
        await server.until(lambda: again.done)
        assert "Resume" not in crew.steward.kinds()
        row = crew.client.inbox.row(int(used.id))
        assert row is not None
        assert row.state == State.LOST
    assert "not answered in time" in caplog.text


async def test_a_halt_that_came_too_late_is_carried_out(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Whoever wants it to stop is heard, and told so in the channel."""
    done = say.Done(text="self-editing is halted")
    async with aboard(server, ann.id, answers={say.Halt: lambda _: done}) as crew:
        server.faults.fail("POST /interactions/*/callback", 404, code=10062)
        server.slash(ann, room, "halt")
        await server.until(lambda: room.messages)
        assert "Halt" in crew.steward.kinds()
    assert "halted" in str(room.messages[0].data)


async def test_without_a_registration_the_bot_still_talks(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where commands cannot be registered the log says so, and everything else works."""
    server.faults.fail("PUT /applications/*", 403, code=50001, text="Missing Access")
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: room.messages[-1].author is server.bot)
    assert room.messages[-1].content == "ahoy hello"
    assert "could not be registered" in caplog.text


async def test_what_is_told_of_tools_and_costs_is_for_who_asked(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """What the kernel tells somebody of what was said, used and spent is seen by nobody else in the channel, all of it."""
    words = " ".join(f"word{at}" for at in range(600))
    async with aboard(server):
        used = server.slash(ann, room, "tool", what=words)
        await server.until(lambda: len(used.followups) == 2)
    assert " ".join(one.content for one in room.ephemeral).split() == ["tool", *words.split()]
    assert room.messages == []


class SlowBrain(ScriptedBrain):
    """Takes longer than Discord waits."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("none")
        self._clock = clock

    async def inform(self, name: str, rest: str, _toolbox: Toolbox, _caller: str, _conversation: str) -> str:
        """The command, said back after a while."""
        self._clock.seconds += 1000
        return f"{name} {rest} secret"


async def test_what_is_for_one_person_is_not_told_in_the_channel_later(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where such an answer comes too late, the channel hears only that it did."""
    server.world.clock = now = Clock()
    async with aboard(server) as crew:
        crew.bot._brain = SlowBrain(now)
        server.slash(ann, room, "calls")
        await server.until(lambda: len(room.messages) == 1)
    assert room.messages[0].content == "ann used /calls, and the answer took too long; use it again."


class WhereBrain(ScriptedBrain):
    """Says where it was asked, once it is let."""

    def __init__(self) -> None:
        super().__init__("none")
        self.go_on = asyncio.Event()

    async def inform(self, name: str, _rest: str, _toolbox: Toolbox, _caller: str, conversation: str) -> str:
        """The command and the place."""
        await self.go_on.wait()
        return f"{name} {conversation}"


async def test_what_was_answered_alone_is_forgotten_too(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """To forget, or to look back, is about the channel and about what one person alone was shown in it; once in a DM."""
    async with aboard(server) as crew:
        crew.bot._brain = brain = WhereBrain()
        brain.go_on.set()
        used = server.slash(ann, room, "forget")
        direct = server.slash(ann, server.direct(ann), "forget")
        other = server.slash(ann, room, "cost")
        await server.until(lambda: used.done and direct.done and other.done)
    here = f"discord:{guild.id}/{room.id}"
    assert used.text == f"forget {here}\n\nOf what only you were shown here: forget {here}/{ann.id}"
    assert direct.text == f"forget discord:{server.direct(ann).id}"
    assert other.text == f"cost {here}"


async def test_each_use_is_acknowledged_before_it_is_worked_on(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """Sixty uses at once are all promised an answer while none of them can be worked on yet."""
    people = [server.user(f"user{at}", guild) for at in range(60)]
    async with aboard(server) as crew:
        crew.bot._brain = brain = WhereBrain()
        used = [server.slash(one, room, "cost") for one in people]
        await server.until(lambda: all(one.answered for one in used))
        assert not any(one.done for one in used)
        brain.go_on.set()
        await server.until(lambda: all(one.done for one in used))
    assert {one.answered for one in used} == {DEFERRED}
    assert [one.tries for one in used] == [1] * 60


async def test_a_command_that_has_changed_is_answered_or_says_so(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Words for a command that now takes none reach it all the same; one that now needs words says that it has changed."""
    async with aboard(server, live=echo("ahoy", name="again")) as crew:
        await crew.load(AGAIN.model_copy(update={"provisional": 7}))
        await crew.client.tree.register()
        without = server.slash(ann, room, "again")
        await server.until(lambda: without.done)
    async with aboard(server) as crew:
        await crew.load(echo("ahoy", commit="ad", name="again").model_copy(update={"provisional": 7}))
        await crew.client.tree.register()
        used = server.slash(ann, room, "again", text="2 x")
        await server.until(lambda: used.done)
    assert without.text.startswith("This command has changed meanwhile")
    assert [one.content for one in room.ephemeral] == [without.text]
    assert used.text == "ahoy 2 x"
