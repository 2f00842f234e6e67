"""Pages of a change: whole, within the limits, for one person, of one head."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.review.pages import PAGE, page
from bot.discord.text import size
from selfedit import protocol as say
from selfedit.types import FileDiff, Stage
from tests.discord.crew import aboard
from tests.discord.reviewing import button, press, pressed, shown, steward_of
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Json, Message, User
from tests.fakes.life import TO_LOOK_AT, head_of

LONG = "\n".join(
    ["--- a/x.py", "+++ b/x.py", "@@ -0,0 +1,400 @@", *(f"+line {at} of it" for at in range(400))]
)
lines = st.one_of(
    st.text(max_size=60),
    st.just("+```"),
    st.just("-" + "y" * 2500),
    st.just("+😀" * 200),
    st.just("@@ -1 +1 @@"),
)
files = st.builds(
    FileDiff, path=st.text(min_size=1, max_size=200), text=st.lists(lines, max_size=60).map("\n".join)
)


def change(*several: FileDiff) -> say.DiffIs:
    """A proposal's change."""
    return say.DiffIs(number=7, head=head_of(7), files=several)


def files_list(message: Message) -> Json:
    """The list of files below a page."""
    return next(part for part in message.parts() if part["type"] == 3)


@settings(max_examples=60)
@given(st.lists(files, min_size=1, max_size=40), st.integers(0, 50), st.integers(0, 50))
async def test_a_page_is_always_one_that_discord_takes(several: list[FileDiff], at: int, turn: int) -> None:
    """Whatever a change holds, each page fits, is one closed block of code, and has a list of at most 25 files."""
    made = page(change(*several), 10**19, at, turn)
    assert size(made.text) <= 2000
    assert made.text.count("```") == 2
    for row in made.view.to_components():
        for part in row["components"]:
            assert len(part["custom_id"]) <= 100
            options = part.get("options", [])
            assert len(options) <= 25
            assert all(1 <= len(one["label"]) <= 100 for one in options)
            assert sum(one["default"] for one in options) == (1 if options else 0)


async def test_all_pages_together_are_the_whole_change() -> None:
    """Nothing of a long file is missing between its pages."""
    text, turn, seen = "", 0, 0
    while True:
        made = page(change(FileDiff(path="x.py", text=LONG)), 1, 0, turn)
        block = made.text.partition("```diff\n")[2].removesuffix("\n```")
        if turn and block == text:
            break
        text, seen, turn = block, seen + block.count("+line"), turn + 1
    assert seen == 400
    assert made.whole == LONG.encode()
    assert len(made.text) <= PAGE + 300


async def test_a_change_is_read_file_by_file(server: DiscordServer, room: Channel, ann: User) -> None:
    """The first file is shown in colours to who asked; the list and the buttons lead to the others."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        reading = await pressed(server, ann, await shown(crew, server, ann, room), "Diff")
        assert reading.ephemeral
        assert "```diff\n" in reading.content
        assert "roll/feature.py +3 -1 (file 1 of 2)" in reading.content.replace("\\_", "_")
        assert [one["description"] for one in files_list(reading)["options"]] == ["+3 -1", "+2 -0"]
        assert button(reading, "Previous")["disabled"]
        press(server, ann, reading, "Next")
        await server.until(lambda: "file 2 of 2" in reading.content)
        assert button(reading, "Next")["disabled"]
        server.choose(ann, reading, files_list(reading)["custom_id"], "0")
        await server.until(lambda: "file 1 of 2" in reading.content)
    assert len(room.messages) == 1


async def test_a_long_file_comes_whole(server: DiscordServer, room: Channel, ann: User) -> None:
    """A file of many pages is attached as well, and no longer on the page of a short one."""
    steward = steward_of(ann)
    steward.open(1)
    steward.files[1] = (FileDiff(path="bot/x.py", text=LONG), FileDiff(path="b.py", text="@@ -1 +1 @@\n+b"))
    async with aboard(server, ann.id, steward=steward):
        used = server.slash(ann, room, "diff", number=1)
        await server.until(lambda: used.done)
        reading = used.original
        assert reading is not None
        file, _ = reading.data["attachments"]
        assert file["filename"] == "bot_x.py.diff"
        assert server.world.files[file["url"].removeprefix(server.world.base)] == LONG.encode()
        server.choose(ann, reading, files_list(reading)["custom_id"], "1")
        await server.until(lambda: "file 2 of 2" in reading.content)
    (file,) = reading.data["attachments"]
    assert file["filename"] == "proposal-1.txt"


async def test_every_finding_can_be_read(server: DiscordServer, room: Channel, ann: User) -> None:
    """Where a card says how many findings there are beside, a file for who asks has all of them."""
    steward = steward_of(ann)
    steward.findings = [
        TO_LOOK_AT.model_copy(update={"message": f"look at number {each}"}) for each in range(40)
    ]
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        card = await shown(crew, server, ann, room)
        reading = await pressed(server, ann, card, "Diff")
        again = await shown(crew, server, ann, room)
    assert "number 39" not in str(card.data)
    for told in (reading, again):
        assert told.ephemeral
        (file,) = told.data["attachments"]
        assert b"look at number 39" in server.world.files[file["url"].removeprefix(server.world.base)]


async def test_pages_of_an_old_head_are_not_turned(server: DiscordServer, room: Channel, ann: User) -> None:
    """Who turns a page after the head moved is told, and sees no page of something else."""
    steward = steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, steward=steward) as crew:
        reading = await pressed(server, ann, await shown(crew, server, ann, room), "Diff")
        steward.move(1, Stage.OPENED, head=head_of(1, 5))
        press(server, ann, reading, "Next")
        await server.until(lambda: reading.content.startswith("Proposal 1 is at "))
    assert reading.parts() == []


async def test_pages_are_for_who_asked(server: DiscordServer, guild: Guild, room: Channel, ann: User) -> None:
    """Where pages stand in the channel, because the command was typed, nobody else turns them."""
    bob, steward = server.user("bob", guild), steward_of(ann)
    steward.open(1)
    async with aboard(server, ann.id, bob.id, steward=steward):
        server.say(ann, room, "/diff 1")
        await server.until(lambda: len(room.messages) == 2)
        reading = room.messages[1]
        refused = await pressed(server, bob, reading, "Next")
    assert refused.content.startswith("That is for who asked")
    assert "file 1 of 2" in reading.content
