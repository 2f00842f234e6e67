"""How the end of a hostile program is read, and what the one profile and its list of system calls say."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.hostile.attempt import NUMBERS, first
from sandbox.probe import ATTACKS, Standing, Targets, command, disagreements, judged, standings
from sandbox.profile import EXTRA, PROFILE, Capture, Shield, reduced, stated
from sandbox.seccomp import SOURCE
from sandbox.types import Limits, Outcome, SandboxInfo

ATTACK = {attack.program: attack for attack in ATTACKS}
RULES: list[dict[str, Any]] = json.loads(SOURCE.read_text("utf-8"))["syscalls"]


def said(words: dict[str, str], **other: Any) -> Outcome:
    """The end of a program that prints this."""
    return Outcome(**{"exit_code": 0, "stdout": json.dumps(words).encode(), **other})


def test_each_shield_is_attacked() -> None:
    """There is no shield that no hostile program tries to get past, and no program without one."""
    attacked = {attack.shield for attack in ATTACKS}.union(*(attack.apart.values() for attack in ATTACKS))
    assert attacked == set(Shield)
    programs = {path.stem for path in (Path(SOURCE).parent / "hostile").glob("*.py")}
    assert programs - {"__init__", "__main__", "attempt"} == set(ATTACK)


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("held: EPERM", Standing.HELD),
        ("held", Standing.HELD),
        ("absent: no swap", Standing.NOT_HERE),
        ("through: it left", Standing.NOT_HELD),
        ("", Standing.NOT_HELD),
        ("helden", Standing.NOT_HELD),
    ],
)
def test_only_a_known_word_is_proof(word: str, standing: Standing) -> None:
    """What a program says of an attempt counts as held for the exact word alone."""
    (tried,) = judged(ATTACK["network"], said({"a way": word}))
    assert (tried.shield, tried.standing) == (Shield.NETWORK, standing)


@pytest.mark.parametrize(
    "outcome",
    [
        said({"a way": "held"}, exit_code=1),
        said({"a way": "held"}, exit_code=None, timed_out=True),
        said({}),
        said({}, stdout=b""),
        said({}, stdout=b"[1]"),
        said({}, stdout=b"\xff"),
    ],
)
def test_a_program_that_did_not_finish_proves_nothing(outcome: Outcome) -> None:
    """A crash, a time-out, silence and nonsense leave the shield as not held."""
    assert [one.standing for one in judged(ATTACK["network"], outcome)] == [Standing.NOT_HELD]


@pytest.mark.parametrize(
    ("program", "held", "not_held"),
    [
        ("sleeper", Outcome(exit_code=None, timed_out=True), Outcome(exit_code=0)),
        ("flood", Outcome(exit_code=None, truncated=True), Outcome(exit_code=0)),
        (
            "flood",
            Outcome(exit_code=0, truncated=True),
            Outcome(exit_code=None, timed_out=True, truncated=True),
        ),
        ("memory", Outcome(exit_code=137, out_of_memory=True), Outcome(exit_code=137)),
        ("memory_child", Outcome(exit_code=0, out_of_memory=True), Outcome(exit_code=0)),
        ("daemon", Outcome(exit_code=0), Outcome(exit_code=None, timed_out=True)),
    ],
)
def test_the_end_of_a_run_tells(program: str, held: Outcome, not_held: Outcome) -> None:
    """Programs that say nothing are judged by how they were ended."""
    assert [one.standing for one in judged(ATTACK[program], held)] == [Standing.HELD]
    assert [one.standing for one in judged(ATTACK[program], not_held)] == [Standing.NOT_HELD]


def test_one_hole_is_enough() -> None:
    """A shield is held if every attempt on it failed; one that got through is named; none at all is no proof."""
    tried = judged(ATTACK["network"], said({"one": "held", "two": "through: port 80", "three": "held"}))
    found = standings(tried)
    assert found[Shield.NETWORK] == (Standing.NOT_HELD, "two: port 80")
    assert found[Shield.CALLS][0] is Standing.NOT_HERE
    assert standings(judged(ATTACK["network"], said({"one": "held"})))[Shield.NETWORK][0] is Standing.HELD


@pytest.mark.parametrize(
    ("said_of_it", "words", "wrong"),
    [
        ({}, {"a way": "held"}, ()),
        ({}, {"a way": "through"}, (Shield.NETWORK,)),
        ({Shield.NETWORK: "why"}, {"a way": "held"}, (Shield.NETWORK,)),
        ({Shield.NETWORK: "why"}, {"a way": "through"}, ()),
        ({}, {"a way": "absent"}, ()),
    ],
)
def test_a_wrong_word_of_itself_is_found(
    said_of_it: dict[Shield, str], words: dict[str, str], wrong: tuple[Shield, ...]
) -> None:
    """A shield that is said to be held and is not, or the other way round, is named; one that could not be tried is not."""
    info = SandboxInfo(backend="docker", image="none", reduced=False, protections=stated(said_of_it, {}))
    assert disagreements(info, judged(ATTACK["network"], said(words))) == wrong


def test_attempts_of_one_kind_are_one_outcome() -> None:
    """Of several attempts, those that got through are named; else what they met; and nothing tried is absent."""
    assert first({"a": "held: EPERM", "b": "through: read", "c": "through"}) == "through: b read, c"
    assert first({"a": "held: EPERM", "b": "held: ENOENT", "c": "absent"}) == "held: ENOENT, EPERM"
    assert first({"a": "absent"}) == "absent"


def test_hostile_programs_travel_alone() -> None:
    """What is sent into a sandbox is the hostile programs, and no other file of the project."""
    wish = command(ATTACK["sleeper"], "python", Targets())
    with zipfile.ZipFile(io.BytesIO(wish.stdin)) as packed:
        names = set(packed.namelist())
        assert packed.read("sandbox/__init__.py") == b""
    assert {name for name in names if not name.startswith("sandbox/hostile/")} == {"sandbox/__init__.py"}


def test_the_profile_cannot_be_changed() -> None:
    """The one profile is frozen, its environment included."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROFILE.user = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        PROFILE.environment["HOME"] = "/"  # type: ignore[index]


def test_what_is_missing_is_said() -> None:
    """Every shield is stated; a missing one carries its reason, and makes the sandbox reduced unless nothing demands it."""
    whole = stated({}, {})
    assert {one.name for one in whole} == set(Shield)
    assert not reduced(whole)
    without = stated({Shield.MEMORY: "no cgroup"}, {})
    assert [(one.name, one.detail) for one in without if not one.held] == [(Shield.MEMORY, "no cgroup")]
    assert reduced(without)
    assert not reduced(stated(dict.fromkeys(EXTRA, "the host's"), {}))


def test_the_list_of_system_calls_says_why() -> None:
    """Every group of the allow-list has its reason, names no call twice, and none of those that open the kernel up."""
    assert all(rule["comment"].endswith(".") for rule in RULES)
    plain = [name for rule in RULES if "args" not in rule for name in rule["names"]]
    assert len(plain) == len(set(plain))
    allowed = {name for rule in RULES if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert allowed & set(NUMBERS) == {"clone"}
    assert not allowed & {"socketcall", "seccomp", "mincore", "acct", "delete_module", "semget", "msgget"}


def test_sockets_are_of_known_kinds() -> None:
    """The allow-list lets through Unix sockets, and IPv4 and IPv6 ones of TCP and UDP alone."""
    seen = set()
    for rule in RULES:
        if "socket" in rule["names"]:
            family, *rest = rule["args"]
            assert family["op"] == "SCMP_CMP_EQ"
            assert [(one["index"], one["op"], one["value"]) for one in rest[:1]] in (
                [],
                [(1, "SCMP_CMP_MASKED_EQ", 15)],
            )
            seen.add((family["value"], *(one.get("valueTwo", one["value"]) for one in rest)))
    assert seen == {
        (1,),
        *((family, *kind) for family in (2, 10) for kind in ((1, 0), (1, 6), (2, 0), (2, 17))),
    }


def test_output_is_kept_within_bounds() -> None:
    """What exceeds the bound is dropped and said, and a program that goes on for ever is found out."""
    capture = Capture(Limits(output_bytes=10))
    assert capture.take("stdout", b"x" * 11)
    assert (bytes(capture.stdout), capture.truncated) == (b"x" * 10, True)
    assert not capture.take("stderr", b"x" * PROFILE.flood_factor * (PROFILE.stderr_bytes + 10))
    assert len(capture.stderr) == PROFILE.stderr_bytes
