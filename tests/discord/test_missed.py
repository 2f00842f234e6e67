"""Nothing that people say is missed, and nothing is answered twice, whatever becomes of the session."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import STAGE, VOICE, Channel, Guild, User
from tests.fakes.plans import echo

UNHEARD_OF = 99
"""A kind of channels that no library knows."""
BETWEEN = 3
"""Messages between two faults."""


def answers(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


def enough(server: DiscordServer, room: Channel, count: int) -> bool:
    """Whether the bot has answered so often."""
    return len(answers(server, room)) >= count


async def test_what_was_said_between_two_sessions_is_answered_once(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """After a session that cannot be resumed, what was said meanwhile is read and answered, and the rest is not again."""
    async with aboard(server) as crew:
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room) == ["ahoy one"])
        server.gateway.forget()
        server.say(ann, room, f"<@{server.bot.id}> two")
        server.say(ann, room, "not meant for it")
        await server.until(lambda: len(answers(server, room)) == 2)
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: len(answers(server, room)) == 3)
        assert crew.client.is_closed() is False
    assert answers(server, room) == ["ahoy one", "ahoy two", "ahoy three"]
    assert server.gateway.identifies == 2


async def test_what_was_missed_comes_first(server: DiscordServer, room: Channel, ann: User) -> None:
    """Nothing that is said in the new session is answered before what was said between the two."""
    history = "GET /channels/{channel_id}/messages"
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        go_on = server.faults.hold(history)
        server.gateway.forget()
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: server.rest.made(*history.split()))
        server.say(ann, room, f"<@{server.bot.id}> three")
        meanwhile = server.slash(ann, room, "say")
        await server.until(lambda: meanwhile.done)
        assert answers(server, room)[:2] == ["ahoy one", "ahoy"]
        go_on.set()
        await server.until(lambda: len(answers(server, room)) == 4)
    assert answers(server, room)[2:] == ["ahoy two", "ahoy three"]


async def test_a_place_that_cannot_be_read_now_is_read_later(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where Discord says to come back much later, what was missed there is read then, and answered once."""
    history = "GET /channels/{channel_id}/messages"
    async with aboard(server) as crew:
        crew.client.catch_up.again_seconds = 0.01
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        server.faults.cloudflare(history, times=2).headers["Retry-After"] = "9999"
        server.gateway.forget()
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: enough(server, room, 2))
    assert answers(server, room) == ["ahoy one", "ahoy two"]
    assert len(server.rest.made(*history.split())) == 3


async def test_direct_messages_are_not_missed_either(server: DiscordServer, ann: User) -> None:
    """The same holds between two."""
    direct = server.direct(ann)
    async with aboard(server):
        server.say(ann, direct, "one")
        await server.until(lambda: answers(server, direct) == ["ahoy one"])
        server.gateway.forget()
        server.say(ann, direct, "two")
        await server.until(lambda: len(answers(server, direct)) == 2)
    assert answers(server, direct) == ["ahoy one", "ahoy two"]


async def test_the_first_session_reads_nothing(server: DiscordServer, room: Channel, ann: User) -> None:
    """What was said before the bot came is not its business."""
    server.say(ann, room, f"<@{server.bot.id}> long ago")
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> now")
        await server.until(lambda: answers(server, room))
    assert answers(server, room) == ["ahoy now"]
    assert server.rest.made("GET", "/channels/{channel_id}/messages") == []


async def test_a_place_that_cannot_be_read_is_left_out(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where what was said meanwhile cannot be read the log says so, and what comes then is answered."""
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        server.faults.fail("GET /channels/*/messages", 403, code=50001, text="Missing Access")
        server.gateway.forget()
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: server.gateway.identifies == 2)
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: len(answers(server, room)) == 2)
    assert answers(server, room) == ["ahoy one", "ahoy three"]
    assert "could not be read" in caplog.text


@pytest.mark.parametrize("done", [True, False])
async def test_an_answer_that_breaks_off_on_its_way_is_sent_again(
    server: DiscordServer, room: Channel, ann: User, *, done: bool
) -> None:
    """Where the connection for an answer is cut, before or after it arrived, it is there once, and the next comes after it."""
    async with aboard(server):
        server.faults.cut("POST /channels/*/messages", done=done)
        server.say(ann, room, f"<@{server.bot.id}> one")
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: len(answers(server, room)) == 2)
        assert len(server.rest.made("POST", "/channels/{channel_id}/messages")) == 3
    assert answers(server, room) == ["ahoy one", "ahoy two"]


@pytest.mark.parametrize("seed", range(3))
async def test_every_message_is_answered_exactly_once(
    server: DiscordServer, room: Channel, ann: User, seed: int
) -> None:
    """While the gateway fails in every way it can, no question is lost, none is answered twice, and all come in order."""
    chance = random.Random(seed)  # noqa: S311 - the same faults in each run
    gateway = server.gateway
    faults: list[Callable[[], None]] = [
        gateway.drop,
        gateway.ask_reconnect,
        gateway.forget,
        lambda: gateway.close(4000),
        lambda: gateway.invalidate(resumable=True),
        lambda: gateway.invalidate(resumable=False),
    ]
    chance.shuffle(faults)
    asked = 0
    async with aboard(server):
        for fault in [lambda: None, *faults]:
            fault()
            for _ in range(BETWEEN):
                server.say(ann, room, f"<@{server.bot.id}> {asked}")
                asked += 1
            await server.until(lambda: gateway.connected)
            server.say(ann, room, f"<@{server.bot.id}> {asked}")
            asked += 1
            await server.until(partial(enough, server, room, asked))
    assert answers(server, room) == [f"ahoy {at}" for at in range(asked)]


async def test_nothing_is_missed_where_nobody_had_spoken_before(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """After a session that was lost, a first word in a quiet channel or thread is read and answered, an earlier one is not."""
    quiet, silent = server.room(guild, "quiet"), server.room(guild, "silent")
    thread = server.thread(room, ann, "aside")
    server.say(ann, silent, f"<@{server.bot.id}> long ago")
    async with aboard(server) as crew:
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        server.gateway.forget()
        server.say(ann, quiet, f"<@{server.bot.id}> two")
        server.say(ann, thread, f"<@{server.bot.id}> three")
        await server.until(lambda: answers(server, quiet) and answers(server, thread))
        await crew.client.idle()
    assert [answers(server, one) for one in (quiet, thread, silent)] == [["ahoy two"], ["ahoy three"], []]


@pytest.mark.parametrize("kind", [VOICE, STAGE, UNHEARD_OF], ids=["voice", "stage", "unheard of"])
async def test_nor_in_a_place_of_another_kind(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, kind: int
) -> None:
    """So is one beside a voice channel, on a stage, or in a thread below a channel of a kind that nobody knows yet."""
    place = server.room(guild, "quiet", kind)
    place = server.thread(place, ann, "aside") if kind == UNHEARD_OF else place
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        server.gateway.forget()
        server.say(ann, place, f"<@{server.bot.id}> two")
        await server.until(lambda: answers(server, place))
    assert answers(server, place) == ["ahoy two"]


async def test_a_first_word_is_not_missed_where_another_follows_at_once(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """What was said in a quiet channel while a session was lost is answered, also where somebody speaks there right after."""
    quiet, gateway = server.room(guild, "quiet"), server.gateway
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: answers(server, room))
        gateway.forget()
        server.say(ann, quiet, f"<@{server.bot.id}> two")
        await server.until(lambda: gateway.identifies == 2)
        server.say(ann, quiet, f"<@{server.bot.id}> three")
        await server.until(lambda: len(answers(server, quiet)) == 2)
    assert sorted(answers(server, quiet)) == ["ahoy three", "ahoy two"]


@pytest.mark.parametrize("how", ["silent", "down"])
async def test_nothing_is_lost_while_the_gateway_is_out_of_reach(
    server: DiscordServer, room: Channel, ann: User, how: str
) -> None:
    """Where a connection dies in silence, or none can be made for a while, all that was said then is answered once, in order."""
    gateway = server.gateway
    gateway.heartbeat_ms = 100
    async with aboard(server) as crew:
        crew.client._connection.heartbeat_timeout = 0.5
        gateway.drop()
        await server.until(lambda: gateway.resumes == 1)
        server.say(ann, room, f"<@{server.bot.id}> 0")
        await server.until(lambda: answers(server, room))
        if how == "silent":
            gateway.silent = True
        else:
            gateway.down = True
            gateway.drop()
        for number in range(1, 8):
            server.say(ann, room, f"<@{server.bot.id}> {number}")
        if how == "silent":
            await server.until(lambda: 4000 in gateway.closes)
            gateway.silent = False
        else:
            await server.until(lambda: gateway.turned_away)
            gateway.down = False
        await server.until(partial(enough, server, room, 8))
    assert answers(server, room) == [f"ahoy {number}" for number in range(8)]


@pytest.mark.parametrize(
    "fault",
    ["429", "429 for all", "429 without headers", "Cloudflare's 429", "Cloudflare's 520", "503", "500"],
)
async def test_what_discord_does_not_take_now_is_sent_later(
    server: DiscordServer, room: Channel, ann: User, fault: str
) -> None:
    """Limits and outages of every kind are waited out, and the answers stand in their order."""
    posts = "POST /channels/{channel_id}/messages"
    make: dict[str, Callable[[], object]] = {
        "429": lambda: server.faults.limit(posts, 0.1),
        "429 for all": lambda: server.faults.limit(posts, 0.1, scope="global"),
        "429 without headers": lambda: server.faults.limit(posts, 0.1, headers=False),
        "Cloudflare's 429": lambda: server.faults.cloudflare(posts),
        "Cloudflare's 520": lambda: server.faults.cloudflare(posts, 520),
        "503": lambda: server.faults.fail(posts, 503),
        "500": lambda: server.faults.fail(posts, 500),
    }
    async with aboard(server):
        make[fault]()
        for number in range(3):
            server.say(ann, room, f"<@{server.bot.id}> {number}")
        await server.until(partial(enough, server, room, 3))
    assert answers(server, room) == [f"ahoy {number}" for number in range(3)]


async def test_new_live_code_costs_no_message(server: DiscordServer, room: Channel, ann: User) -> None:
    """While live code is swapped again and again each question is answered once, in one session, by what serves then."""
    asked = 0
    async with aboard(server) as crew:
        for number in range(10):
            server.say(ann, room, f"<@{server.bot.id}> before")
            await crew.load(echo(f"word{number}", commit=f"{number:06x}"))
            server.say(ann, room, f"<@{server.bot.id}> after")
            asked += 2
            await server.until(partial(enough, server, room, asked))
            assert answers(server, room)[-1] == f"word{number} after"
    assert len(answers(server, room)) == asked
    assert server.gateway.identifies == 1
