"""The operator's command line: `python -m selfedit COMMAND`.

Speaks to the running steward where there is one; otherwise it does the same by itself, without a bot.
Exit codes: 0 done, 1 an expected "no", 2 could not find out.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))  # the working directory comes last: no file in it is a library

import argparse
import asyncio
import getpass
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel

YES, NO, UNKNOWN = 0, 1, 2
Words = Sequence[str]


def main(argv: Words) -> int:
    """Run one command; the exit code."""
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if name in ("-h", "--help"):
        print(__doc__)
        for command, (_, usage) in COMMANDS.items():
            print(f"  {command:<10} {usage}")
        return YES
    if name not in COMMANDS:
        print(f"there is no command {name!r}; python -m selfedit --help lists them", file=sys.stderr)
        return UNKNOWN
    try:
        return COMMANDS[name][0](rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return UNKNOWN
    except Exception as error:
        if isinstance(error, OSError):
            place = f"{error.filename}: " if error.filename else ""
            print(f"{place}{error.strerror or error}", file=sys.stderr)
            return UNKNOWN
        if type(error).__name__.endswith(("Problem", "Failed", "Running", "Unavailable")):
            print(error, file=sys.stderr)
            return UNKNOWN
        raise


# Commands that have a module of their own: imported only when they are asked for


def _apply(argv: Words) -> int:
    from selfedit.editing.apply import main as run

    return run(argv)


def _gate(argv: Words) -> int:
    from selfedit.gate.command import main as run

    return run(argv)


def _steward(argv: Words) -> int:
    from selfedit.process.steward import main as run

    return run(argv)


# Commands that ask the steward


def _improve(argv: Words) -> int:
    from selfedit.editing.edits import MAX_TEXT, MalformedEdits, parse_edits
    from selfedit.protocol import Improve
    from selfedit.types import Request

    parser = _parser("improve")
    parser.add_argument(
        "goal", nargs="*", help="what to change, in words; nothing: maintenance looks by itself"
    )
    parser.add_argument("--edits", type=Path, help="a JSON list of edits")
    given = parser.parse_args(argv)
    edits = None
    if given.edits is not None:
        try:
            with given.edits.open("rb") as file:
                edits = parse_edits(file.read(MAX_TEXT + 1))
        except OSError as error:
            print(
                f"{given.edits} cannot be read ({error.strerror}); give a JSON file of edits", file=sys.stderr
            )
            return UNKNOWN
        except (MalformedEdits, UnicodeDecodeError) as error:
            print(f"{given.edits}: {error}", file=sys.stderr)
            return NO
    return _ask(Improve(request=Request(requested_by=_me(), goal=" ".join(given.goal) or None, edits=edits)))


def _proposals(argv: Words) -> int:
    from selfedit.protocol import Proposals

    _parser("proposals").parse_args(argv)
    return _ask(Proposals())


def _show(argv: Words) -> int:
    from selfedit.protocol import Show

    return _ask(Show(number=_numbered("show", argv).number))


def _diff(argv: Words) -> int:
    from selfedit.protocol import Diff

    return _ask(Diff(number=_numbered("diff", argv).number))


def _approve(argv: Words) -> int:
    from selfedit.protocol import Approve

    given = _numbered("approve", argv, ("--head", "the head that was looked at; any other refuses"))
    return _ask(Approve(number=given.number, by=_me(), head=given.head))


def _reject(argv: Words) -> int:
    from selfedit.protocol import Reject

    parser = _parser("reject")
    parser.add_argument("number", type=int)
    parser.add_argument("why", nargs="*")
    given = parser.parse_args(argv)
    return _ask(Reject(number=given.number, by=_me(), why=" ".join(given.why)))


def _rollback(argv: Words) -> int:
    from selfedit.protocol import NO_REASON, Rollback

    parser = _parser("rollback")
    parser.add_argument("number", type=int, nargs="?")
    parser.add_argument("why", nargs="*")
    given = parser.parse_args(argv)
    return _ask(Rollback(number=given.number, by=_me(), why=" ".join(given.why) or NO_REASON))


def _status(argv: Words) -> int:
    from selfedit.protocol import Status

    _parser("status").parse_args(argv)
    return _ask(Status())


def _why(argv: Words) -> int:
    from selfedit.protocol import Why

    _parser("why").parse_args(argv)
    return _ask(Why())


def _halt(argv: Words) -> int:
    from selfedit.protocol import Halt

    _parser("halt").parse_args(argv)
    return _ask(Halt(by=_me()))


def _resume(argv: Words) -> int:
    from selfedit.protocol import Resume

    _parser("resume").parse_args(argv)
    return _ask(Resume(by=_me()))


def _rights(argv: Words) -> int:
    from selfedit.protocol import Rights

    _parser("rights").parse_args(argv)
    return _ask(Rights())


def _grant(argv: Words) -> int:
    from selfedit.protocol import Grant

    given = _who_and_what("grant", argv)
    return _ask(Grant(to=given.who, capability=given.what, by=_me()))


def _withdraw(argv: Words) -> int:
    from selfedit.protocol import Withdraw

    given = _who_and_what("withdraw", argv)
    return _ask(Withdraw(to=given.who, capability=given.what, by=_me()))


# Commands that read by themselves


def _log(argv: Words) -> int:
    from selfedit.history.ledger import Ledger
    from selfedit.process.place import Place
    from selfedit.words import one_line

    _parser("log").parse_args(argv)
    ledger = Ledger(Place.here().home, read_only=True)
    for move in ledger.moves():
        which = f"proposal {move.number}" if move.number is not None else "-"
        facts = ", ".join(f"{key}={one_line(str(value), 60)}" for key, value in move.data.items())
        print(
            f"{move.seq:>5} {move.at:%Y-%m-%d %H:%M:%S} {move.kind:<10} {which:<12} {move.hash[:12]} {facts}"
        )
    return YES


def _verify(argv: Words) -> int:
    from selfedit.history.ledger import Ledger
    from selfedit.history.record import Record
    from selfedit.history.signing import Signer
    from selfedit.process.client import ask_running
    from selfedit.process.place import Place
    from selfedit.protocol import Running, RunningIs
    from selfedit.repo import Repo
    from selfedit.running.verify import attestations, grants, summary, verify

    parser = _parser("verify")
    parser.add_argument("--all", action="store_true", help="also show what vouches for each commit")
    given = parser.parse_args(argv)
    place = Place.here()
    if not (place.home / "ledger.sqlite3").exists():
        print(
            f"there is no ledger in {place.home}: nothing has run from this repository yet", file=sys.stderr
        )
        return NO
    ledger = Ledger(place.home, read_only=True)
    running = asyncio.run(ask_running(place, Running()))
    blobs = running.blobs if isinstance(running, RunningIs) and running.commit else None
    repo = Repo(place.root, place.rules.repo.branch)
    signer = Signer(place.home, make=False)
    faults = verify(repo, ledger, signer, place.rules.zones.live, blobs)
    for fault in faults:
        print(f"does not hold: {fault}")
    if not faults:
        record = Record(ledger)
        for line in attestations(repo, record, signer) if given.all else ():
            print(line)
        for line in grants(record):
            print(line)
        print(summary(record))
    return NO if faults else YES


COMMANDS: dict[str, tuple[Callable[[Words], int], str]] = {
    "improve": (_improve, "[GOAL ...] [--edits FILE]: ask for a change"),
    "proposals": (_proposals, "list them, newest first"),
    "show": (_show, "N: one proposal with its gate report"),
    "diff": (_diff, "N: what it changes"),
    "approve": (_approve, "N [--head SHA]: merge it and bring it to life"),
    "reject": (_reject, "N [WHY ...]: turn it down"),
    "rollback": (_rollback, "[N] [WHY ...]: take a merged proposal back"),
    "status": (_status, "what runs, what judges, what is open"),
    "why": (_why, "which definitions came by which proposal"),
    "halt": (_halt, "stop all self-editing; chat goes on"),
    "resume": (_resume, "allow it again"),
    "rights": (_rights, "who may do what"),
    "grant": (
        _grant,
        "WHO WHAT: allow somebody (discord:ID, discord:role/ID, everyone, ...) to do something",
    ),
    "withdraw": (_withdraw, "WHO WHAT: take such a right from somebody"),
    "log": (_log, "the ledger, row by row"),
    "verify": (_verify, "[--all]: prove the ledger, the signatures, and that what runs is what was judged"),
    "apply": (_apply, "--root DIR EDITS.json [--check]: apply edits to files"),
    "gate": (_gate, "--repo DIR --base REV --head REV [--json] [--rules FILE]: judge head on base"),
    "steward": (_steward, "run the steward and its bot (scripts/run does)"),
}


def _ask(question: BaseModel) -> int:
    """Put a question, show progress on stderr and the answer on stdout."""
    from selfedit import protocol as say
    from selfedit.answers import render
    from selfedit.process.client import ask
    from selfedit.process.place import Place
    from selfedit.types import Stage

    def heard(notice: BaseModel) -> None:
        if isinstance(notice, say.Progress):
            print(f"{notice.seconds:6.1f} s  {notice.stage}: {notice.text}", file=sys.stderr)
        elif isinstance(notice, say.News):
            print(notice.text, file=sys.stderr)

    answer = asyncio.run(ask(Place.here(), question, heard))
    if isinstance(answer, say.Refused):
        print(answer.why, file=sys.stderr)
        return NO
    render.write(render.answer(answer))
    if not (isinstance(answer, say.ProposalIs) and isinstance(question, say.Improve | say.Approve)):
        return YES
    one = answer.proposal
    if one.stage is Stage.FAILED and one.report is not None and one.report.verdict == "unknown":
        return UNKNOWN
    no = [Stage.REFUSED, Stage.FAILED, Stage.REVERTED]
    if isinstance(question, say.Approve):
        no.append(Stage.OPENED)  # approved, and not merged yet: it takes another approval
    return NO if one.stage in no else YES


def _parser(name: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"python -m selfedit {name}", description=COMMANDS[name][1])


def _numbered(name: str, argv: Words, *options: tuple[str, str]) -> argparse.Namespace:
    parser = _parser(name)
    parser.add_argument("number", type=int, help="the proposal's number")
    for option, meaning in options:
        parser.add_argument(option, help=meaning)
    return parser.parse_args(argv)


def _who_and_what(name: str, argv: Words) -> argparse.Namespace:
    from policies.rights import CAPABILITIES

    parser = _parser(name)
    parser.add_argument("who", help="discord:ID, discord:role/ID, everyone, manager, maintainer or owner")
    parser.add_argument("what", choices=CAPABILITIES)
    return parser.parse_args(argv)


def _me() -> str:
    try:
        return f"console:{getpass.getuser()}"
    except (KeyError, OSError):
        return "console:operator"  # a container user without a name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
