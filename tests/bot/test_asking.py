"""`/chat` with options, and files that go along at the console."""

import asyncio
import os
from pathlib import Path

import pytest

from agent.incoming.attached import Attachment, Unfit
from agent.incoming.wish import Wish
from bot.asking import Question, read_question
from bot.attaching import AT_ONCE, Files, Pending, Sent, read_file
from bot.control.commands import Unclear
from bot.theseus import Bot
from policies.load import load_rules
from selfedit.types import NoDraft
from tests.fakes.brain import ScriptedBrain
from tests.fakes.pictures import attached, png

RULES = load_rules().attachments
TINY = RULES.model_copy(update={"most": 2, "text_bytes": 100, "picture_bytes": 200})


@pytest.mark.parametrize(
    ("rest", "text", "wish"),
    [
        ("hello --model x", "hello --model x", Wish()),
        ("--model openai/gpt hello", "hello", Wish(model="openai/gpt")),
        ("--model=openai/gpt hello", "hello", Wish(model="openai/gpt")),
        ("--combine --private hello", "hello", Wish(combine=True, private=True)),
        ("  --tools   force   hello  you ", "hello  you", Wish(tools="force")),
        ("--tools search_web\nhello", "hello", Wish(tools="search_web")),
        ("\u2014private hello", "hello", Wish(private=True)),
        ("\u2013private \u2014combine hello", "hello", Wish(combine=True, private=True)),
        ("--private what is --private", "what is --private", Wish(private=True)),
    ],
)
def test_options_stand_in_front_of_the_text(rest: str, text: str, wish: Wish) -> None:
    """Each option is read, in any order, up to the first word that is none."""
    assert read_question(rest) == Question(text, wish)


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("", "say what you want to ask"),
        ("--private", "say what you want to ask"),
        ("--model", "--model wants a value"),
        ("--tools --private hello", "--tools wants a value"),
        ("--colour red hello", "knows no --colour"),
        ("--private=yes hello", "knows no --private=yes"),
        ("what is x --private", "options stand in front"),
        ("--combine what is x \u2014private", "options stand in front"),
    ],
)
def test_what_is_not_understood_says_what_to_type(rest: str, why: str) -> None:
    """A wrong or missing option, and no text, are one sentence with the usage in it."""
    read = read_question(rest)
    assert isinstance(read, Unclear)
    assert why in read.why
    assert "/chat [--model NAME]" in read.why


def test_a_picture_needs_no_words() -> None:
    """With something attached, a question may be without text; what a surface wished for already stays."""
    wish = Wish(attachments=(attached("cat.png"),))
    assert read_question("--private", wish) == Question("", Wish(private=True, attachments=wish.attachments))


async def test_files_go_along_once(tmp_path: Path) -> None:
    """What is attached is told, goes with one message, with names that differ, and is gone after that."""
    (tmp_path / "a").mkdir()
    for place in (tmp_path / "cat.png", tmp_path / "a" / "cat.png"):
        place.write_bytes(png())
    pending = Pending(RULES)
    said = await pending.add(f'"{tmp_path}/cat.png"')
    assert "cat.png (image/png, 4x3, 73 bytes) goes along with your next message, and stays" in said
    assert "until /forget" in said
    await pending.add(f"{tmp_path}/a/cat.png")
    assert "cat.png (image/png, 4x3, 73 bytes), cat.png" in await pending.add("")
    assert [each.name for each in pending.take()] == ["cat.png", "cat.png (2)"]
    assert pending.take() == ()
    assert "Nothing is attached" in await pending.add("")


async def test_a_key_in_a_file_is_pointed_out(tmp_path: Path) -> None:
    """Whoever attaches what holds a key is told so before it is sent."""
    (tmp_path / ".env").write_text("KEY=sk-ant-api03-" + "a1" * 24)
    pending = Pending(RULES)
    assert "looks like a key" in await pending.add(str(tmp_path / ".env"))
    assert len(pending.take()) == 1


async def test_what_was_attached_can_be_taken_back(tmp_path: Path) -> None:
    """`/attach none` sends nothing along."""
    (tmp_path / "cat.png").write_bytes(png())
    pending = Pending(RULES)
    await pending.add(str(tmp_path / "cat.png"))
    assert "Nothing" in await pending.add("none")
    assert pending.take() == ()


async def test_one_message_takes_so_many_files(tmp_path: Path) -> None:
    """One more than the rules say is refused."""
    (tmp_path / "cat.png").write_bytes(png())
    pending = Pending(TINY)
    said = [await pending.add(str(tmp_path / "cat.png")) for _ in range(3)]
    assert "2 files go along already" in said[2]
    assert len(pending.take()) == 2


def test_a_file_that_cannot_go_along_says_why(tmp_path: Path) -> None:
    """Missing, a folder, a device, too large, no text and no picture, a link that leads nowhere: one sentence each."""
    (tmp_path / "large.txt").write_bytes(b"x" * 101)
    (tmp_path / "huge.txt").write_bytes(b"x" * 201)
    (tmp_path / "sound.mp3").write_bytes(b"ID3\x03\x00\x00")
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    expected = {
        "missing.txt": "There is no file",
        "link.txt": "There is no file",
        ".": "is a folder",
        "/dev/null": "is no ordinary file",
        "large.txt": "has 101 bytes; a text may have 100",
        "huge.txt": "has 201 bytes; a file may have 200",
        "sound.mp3": "neither text nor a picture",
        "x" * 300: "cannot be read: File name too long",
        "nul\0": "",
        "~nobody-of-that-name/x": "cannot be read",
    }
    for name, why in expected.items():
        path = name if name.startswith("~") else str(tmp_path / name)
        found = read_file(path, TINY)
        assert isinstance(found, Unfit), name
        assert why in found.why
        assert "\n" not in found.why


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    """What the operator has no right to read is a sentence."""
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.txt").chmod(0)
    found = read_file(str(tmp_path / "a.txt"), TINY)
    assert isinstance(found, Unfit)
    assert "Permission denied" in found.why


def test_a_text_of_this_machine_is_read(tmp_path: Path) -> None:
    """An ordinary text is an attachment with what stands in it."""
    (tmp_path / "a.txt").write_text("hello")
    assert read_file(str(tmp_path / "a.txt"), RULES) == Attachment("a.txt", "text/plain", 5, "hello")


async def test_a_few_messages_have_their_files_fetched_at_a_time() -> None:
    """However many come at once, the files of so many are read side by side, and all of them are read."""
    files, go_on = Files(RULES), asyncio.Event()
    under_way: list[int] = []

    async def fetch() -> bytes:
        under_way.append(1)
        await go_on.wait()
        return b"hello"

    asked = [asyncio.create_task(files.look_at([Sent("a.txt", 5, fetch)])) for _ in range(9)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(under_way) == AT_ONCE
    go_on.set()
    assert [len(taken) for taken, _ in await asyncio.gather(*asked)] == [1] * 9


async def test_a_file_that_is_not_taken_is_a_sentence() -> None:
    """Too large by what the service says, gone, no text, one too many: each is said, and the others are taken."""

    async def fetch() -> bytes:
        return b"\x00\x01"

    async def gone() -> Unfit:
        return Unfit("b.txt is gone.")

    sent = [Sent("a.txt", 10**9, fetch), Sent("b.txt", 5, gone), Sent("c.txt", 2, fetch)]
    taken, unread = await Files(TINY.model_copy(update={"most": 3})).look_at([*sent, sent[0]])
    assert taken == ()
    assert [line.split()[0] for line in unread] == ["a.txt", "b.txt", "c.txt", "I"]


async def test_elsewhere_files_come_with_the_message() -> None:
    """Where it is no command, `/attach` says how files are sent."""

    async def no_author() -> NoDraft:
        return NoDraft(why="no model")

    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    assert "with the message itself" in await bot.respond("/attach a.txt", "discord:2", "discord:9")
