"""What a typed line asks of the steward, or the sentence on what is wrong with it."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.control.commands import (
    MAX_EDITS_BYTES,
    NAMES,
    Asked,
    Unclear,
    fallback_help,
    infos,
    needs,
    parse,
    unknown,
)
from bot.control.pasted import begins_edits, brackets
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.rights import NEEDS
from selfedit.types import Request

EDITS = '[{"op": "delete_symbol", "path": "bot/live/a.py", "target": "f"}]'
ANN = "console:ann"


def wrong(line: str) -> str:
    read = parse(line, ANN)
    assert isinstance(read, Unclear)
    return read.why


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/improve", say.Improve(request=Request(requested_by=ANN))),
        ("/improve  greet people", say.Improve(request=Request(requested_by=ANN, goal="greet people"))),
        (f"/improve {EDITS}", say.Improve(request=Request(requested_by=ANN, edits=parse_edits(EDITS)))),
        ("/proposals", say.Proposals()),
        ("/proposal 3", say.Show(number=3)),
        ("/diff #3", say.Diff(number=3)),
        ("  /APPROVE 12 ", say.Approve(number=12, by=ANN)),
        ("/reject 3", say.Reject(number=3, by=ANN)),
        ("/reject 3 not  now", say.Reject(number=3, by=ANN, why="not  now")),
        ("/rollback", say.Rollback(by=ANN)),
        ("/rollback 4", say.Rollback(number=4, by=ANN)),
        ("/rollback 4 it  broke", say.Rollback(number=4, by=ANN, why="it broke")),
        ("/rollback - 3 people complained", say.Rollback(by=ANN, why="3 people complained")),
        ("/status", say.Status()),
        ("/why", say.Why()),
        ("/halt", say.Halt(by=ANN)),
        ("/halt at once!", say.Halt(by=ANN)),
        ("/resume", say.Resume(by=ANN)),
        ("/quit", say.Quit()),
    ],
)
def test_each_command_is_one_message(line: str, message: BaseModel) -> None:
    """A line that is understood becomes the message that it stands for, in the name of who typed it."""
    read = parse(line, ANN)
    assert isinstance(read, Asked)
    assert read.message == message


@pytest.mark.parametrize(
    "line", ["", "hello", "what is /approve 1?", "/roll 2d6", "/help", "/", "/ approve 1"]
)
def test_other_lines_are_not_the_kernels(line: str) -> None:
    """Chat, live commands and unknown commands are left to others."""
    assert parse(line, ANN) is None


@pytest.mark.parametrize("name", ["proposal", "diff", "approve", "reject"])
@pytest.mark.parametrize("given", ["", " x", " -1", " 0", " 1.5", " ٣", " 99999999999"])
def test_a_wrong_number_says_how_to_say_it(name: str, given: str) -> None:
    """A missing or senseless number is answered with an example and where numbers are listed."""
    why = wrong(f"/{name}{given}")
    assert f"/{name} 1" in why
    assert "/proposals" in why


@pytest.mark.parametrize("name", ["proposals", "status", "why", "resume", "quit"])
def test_a_command_without_arguments_takes_none(name: str) -> None:
    """What follows such a command was meant for something else, so it is not carried out."""
    assert f"/{name} alone" in wrong(f"/{name} 5")


@pytest.mark.parametrize("text", ["[", "{}", "[]", '[{"op": "fly"}]', '["x"]', "[1, 2"])
def test_text_that_is_no_edits_is_one_sentence(text: str) -> None:
    """Pasted JSON of a wrong shape is answered with its first fault."""
    why = wrong(f"/improve {text}")
    assert "no edits" in why
    assert "\n" not in why


def test_an_unknown_op_is_answered_with_the_known_ones() -> None:
    """Whoever guesses at an op, or leaves it out, reads what there is."""
    for text in ('[{"op": "zap"}]', '[{"path": "a.py"}]'):
        why = wrong(f"/improve {text}")
        assert "the ops are replace_function" in why
        assert "write_text" in why


def test_a_goal_that_is_too_long_is_refused() -> None:
    """A goal is bounded, and its bound is said."""
    assert "4000" in wrong("/improve " + "x" * 4001)


def test_edits_are_read_from_a_file(tmp_path: Path) -> None:
    """`/improve @FILE` is the same as pasting what the file holds."""
    file = tmp_path / "my edits.json"
    file.write_text(EDITS)
    assert parse(f"/improve @{file}", ANN) == parse(f"/improve {EDITS}", ANN)


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """Missing, a folder, far too large, or no JSON: each is said, and a large file is not read."""
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    text = tmp_path / "text.json"
    text.write_text("hello")
    assert "there is no file" in wrong(f"/improve @{tmp_path / 'none.json'}")
    assert "there is no file" in wrong(f"/improve @{tmp_path}")
    assert "there is no file" in wrong("/improve @")
    assert "no file" in wrong("/improve @a\0b") or "cannot be read" in wrong("/improve @a\0b")
    assert f"{MAX_EDITS_BYTES:,}" in wrong(f"/improve @{large}")
    assert "no edits" in wrong(f"/improve @{text}")


def test_files_are_read_for_the_console_alone(tmp_path: Path) -> None:
    """Whoever writes from elsewhere cannot have files of this machine read."""
    file = tmp_path / "edits.json"
    file.write_text(EDITS)
    read = parse(f"/improve @{file}", "discord:1", files=False)
    assert isinstance(read, Unclear)


def test_pasted_edits_are_whole_when_their_brackets_close() -> None:
    """Counting brackets line by line finds the end of any edits as JSON is laid out, strings notwithstanding."""
    edits = [{"op": "write_text", "path": "agent/live/prompts/a.md", "text": 'a ] } \\" "\n[ {'}]
    lines = ("/improve " + json.dumps(edits, indent=2)).split("\n")
    depths = [sum(brackets(line) for line in lines[:count]) for count in range(1, len(lines) + 1)]
    assert begins_edits(lines[0])
    assert all(depth > 0 for depth in depths[:-1])
    assert depths[-1] == 0


def test_an_unknown_command_gets_a_suggestion() -> None:
    """A near name is offered; where there is none, the list."""
    assert "/approve" in unknown("aprove", sorted(NAMES))
    assert "/help" in unknown("xyzzy", sorted(NAMES))


def test_every_control_command_is_listed_as_kernel() -> None:
    """Help, live or not, shows each control command, and none of them as live."""
    assert {info.name for info in infos()} == NAMES
    assert not any(info.live for info in infos())
    assert all(f"/{info.usage}" in fallback_help() for info in infos())


@pytest.mark.parametrize(
    ("who", "named"),
    [
        ("discord:12", "discord:12"),
        ("<@12>", "discord:12"),
        ("<@!12>", "discord:12"),
        ("<@&34>", "discord:role/34"),
        ("everyone", "everyone"),
    ],
)
def test_rights_are_given_to_whoever_is_named_or_mentioned(who: str, named: str) -> None:
    """A mention means the person or the role; what somebody may do is one of few words; roles of who says it go along."""
    read = parse(f"/grant {who}  Approve", ANN, roles={"owner"})
    assert isinstance(read, Asked)
    assert read.message == say.Grant(to=named, capability="approve", by=ANN, roles=("owner",))
    back = parse(f"/withdraw {who} chat", ANN)
    assert isinstance(back, Asked)
    assert back.message == say.Withdraw(to=named, capability="chat", by=ANN)
    assert "one of chat, see" in wrong(f"/grant {who} fly")
    assert "one of chat, see" in wrong("/withdraw")


@pytest.mark.parametrize(
    "line",
    [
        "/improve",
        "/approve 1",
        "/reject 1",
        "/rollback",
        "/halt",
        "/resume",
        "/grant discord:1 see",
        "/withdraw discord:1 see",
    ],
)
def test_bot_and_steward_ask_for_the_same_right(line: str) -> None:
    """What the bot looks at for a friendly answer is what the steward looks at for its decision."""
    read = parse(line, ANN)
    assert isinstance(read, Asked)
    assert needs(line) == NEEDS[type(read.message)]


def test_nothing_that_a_person_wants_goes_without_a_right() -> None:
    """Each message that names who wants something is in the steward's table."""
    assert {say.Improve, *say.FromPerson.__subclasses__()} == set(NEEDS)
