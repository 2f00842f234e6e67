"""What becomes of people when the file that outlives the process cannot be used."""

import sqlite3
from pathlib import Path

import pytest

from bot.discord.shelf import ShelfProblem, open_shelf
from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User


async def test_where_nothing_can_be_written_people_are_answered_all_the_same(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """While another program holds the file, and after it, each message is answered once and no place stands still."""
    async with aboard(server, home=tmp_path) as crew:
        other = sqlite3.connect(tmp_path / "discord.sqlite3", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: room.messages[-1].content == "ahoy one", 30)
        other.execute("COMMIT")
        other.close()
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: room.messages[-1].content == "ahoy two", 30)
        await crew.client.idle()
    assert [one.content for one in room.messages if one.author is server.bot] == ["ahoy one", "ahoy two"]


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """What is no database is kept under another name, and a new file begun."""
    (tmp_path / "discord.sqlite3").write_bytes(b"not a database, " * 100)
    open_shelf(tmp_path).close()
    [aside] = tmp_path.glob("discord.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_a_file_that_is_held_is_not_damaged(tmp_path: Path) -> None:
    """A file that is held by another program when the process begins stays where it is, with all that stands in it."""
    open_shelf(tmp_path).close()
    other = sqlite3.connect(tmp_path / "discord.sqlite3", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("CREATE TABLE kept (thing INTEGER)")
    with pytest.raises(ShelfProblem, match="locked"):
        open_shelf(tmp_path)
    other.close()
    assert open_shelf(tmp_path).execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]
    assert not [*tmp_path.glob("discord.damaged-*")]


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file in the place of the home is the operator's to mend, and is said so."""
    (tmp_path / "home").write_text("")
    with pytest.raises(ShelfProblem, match="THESEUS_HOME"):
        open_shelf(tmp_path / "home")
