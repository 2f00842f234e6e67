"""A trial load in a process of its own: does the live code of a folder come to life, twice, talk, and go again?

The gate runs this on every proposal: it imports this file while it waits for a candidate, calls `get_ready` with what is
there by then, and `main` when the candidate is. Standard output carries one line of JSON, `selfedit.gate.trial.Trial`, and nothing else.
"""

import asyncio
import contextlib
import gc
import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.conduct import HeldUp, Watch, census, grown, held_to, hold_only_what_blocks, left_tasks, reachable
from bot.generation import CANARY_SECONDS, Generation, build, canary, compiled
from bot.rehearsal import PATIENCE, Rehearsal, writable
from bot.texts import CODE, Compiled, GenerationProblem
from selfedit.gate.trial import LONGEST_WHY, Trial
from selfedit.types import LoadPlan, SourceFile

MOST_NAMED = 3
"""So many things that grow are named in a refusal."""


class Wish(BaseModel):
    """What a trial is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: str = ""
    """Chance is the same for the same seed."""
    conversations: bool = False
    """Whether to hold the recorded conversations."""
    seconds: float = Field(default=CANARY_SECONDS, gt=0)
    """How long one answer may take."""


class _Refused(GenerationProblem):
    """A refusal by a rule that has a name."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule


_known: Compiled = {}
"""What is compiled by now, so that it is not compiled at each load."""


def get_ready(root: str) -> None:
    """Do what can be done before there is anything to try: compile what stands below `root` now, and run none of it."""
    _known.update(compiled_below(Path(root)))


def main(root: str, wish: str = "") -> int:
    """Try what stands below `root` and print how it went; the exit code is 0 if it is good.

    Args:
        root: The folder.
        wish: A `Wish` as JSON; empty for the plainest.
    """
    sys.dont_write_bytecode = True  # what a load writes is what live code writes
    with _stdout_kept_apart() as out:
        try:
            trial = _try(Path(root), Wish.model_validate_json(wish) if wish.strip() else Wish())
        except ValidationError as error:
            trial = _no("trial", f"it was wished for what a trial cannot do: {error.errors()[0]['msg']}")
        except (GenerationProblem, HeldUp, OSError, UnicodeDecodeError) as error:
            trial = _no(error.rule if isinstance(error, _Refused) else "trial", str(error))
        out.write(trial.model_dump_json().encode() + b"\n")
    code = 0 if trial.ok else 1
    if threading.active_count() > 1:
        os._exit(code)  # a thread that never ends would keep the verdict waiting
    return code


def plan_of(root: Path) -> LoadPlan:
    """The live code below a folder as a load plan, hashed as git would hash it.

    Raises:
        OSError: A file cannot be read.
        UnicodeDecodeError: A file is not UTF-8 text.
    """
    files = []
    for path in sorted(path for folder in CODE for path in (root / folder).rglob("*") if path.is_file()):
        if path.suffix in (".py", ".md"):
            data = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            files.append(SourceFile(path=path.relative_to(root).as_posix(), blob=blob, text=data.decode()))
    return LoadPlan(commit="0" * 40, tree="0" * 40, files=tuple(files))


def compiled_below(root: Path) -> Compiled:
    """The live code below a folder, compiled, as far as it can be; the folder may change meanwhile."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return compiled(plan_of(root))
    return {}


def _no(rule: str, why: str) -> Trial:
    return Trial(ok=False, rule=rule, why=writable(why)[:LONGEST_WHY])


def _try(root: Path, wish: Wish) -> Trial:
    plan = plan_of(root)
    rehearsal = Rehearsal(root) if wish.conversations else None
    watch = Watch()
    gc.collect()
    gc.freeze()  # what is there so far is not live code's; nobody need look through it again
    empty = census()
    first = _bring_up(plan, watch, wish.seconds)
    _refuse_growth("once loaded and used, it leaves behind", _running(grown(empty, census())))
    used = census()
    second = _bring_up(plan, watch, wish.seconds)
    if first.commands.keys() != second.commands.keys():
        raise GenerationProblem("loaded twice, it answers to other commands the second time")
    package = first.package
    del first
    _refuse_growth(
        "the code before it stays in memory after a reload; something outside holds", reachable(package)
    )
    _refuse_growth("each reload adds", grown(used, census()))
    turns, kept = rehearsal.hold(second, watch, wish.seed, wish.seconds) if rehearsal else ((), 0)
    _refuse_growth("after the conversations, it leaves behind", _running(grown(used, census())))
    features = [path.split("/")[2] for path in second.blobs if path.endswith("/feature.py")]
    return Trial(
        ok=True,
        features=tuple(sorted(features)),
        commands=tuple(sorted(second.commands)),
        script=rehearsal.script if rehearsal else "",
        turns=turns,
        kept=kept,
    )


def _bring_up(plan: LoadPlan, watch: Watch, seconds: float) -> Generation:
    """Load and try a generation as the bot does it: built where no event loop runs, tried on a loop of its own."""
    threads = set(threading.enumerate())
    with watch.noting(forbid=True) as deeds, held_to(seconds * PATIENCE):
        generation: Generation | None = None
        problem = ""
        try:
            generation = build(plan, _known)
        except GenerationProblem as error:
            problem = str(error)
    # Before Python 3.12 the start of a thread is no audit event.
    deeds += [f"it starts the thread {each.name}" for each in threading.enumerate() if each not in threads]
    if deeds:
        raise _Refused("load_acts", f"{deeds[0]} while it is loaded; do that when somebody asks for it")
    if generation is None:
        raise GenerationProblem(problem)
    with held_to(seconds * PATIENCE):
        asyncio.run(_talk(generation, seconds))
    return generation


async def _talk(generation: Generation, seconds: float) -> None:
    hold_only_what_blocks(seconds * PATIENCE)
    await canary(generation, seconds)
    if left := left_tasks():
        raise _Refused("reload_grows", f"it left a task running: {left[0]}")


def _running(grown: list[str]) -> list[str]:
    """Of what grew, what is none of a library that was imported by the way."""
    return [name for name in grown if name.startswith(("the thread", "the open file"))]


def _refuse_growth(what: str, grown: list[str]) -> None:
    if grown:
        more = f" and {len(grown) - MOST_NAMED} more" if len(grown) > MOST_NAMED else ""
        raise _Refused("reload_grows", f"{what} {', '.join(grown[:MOST_NAMED])}{more}")


@contextlib.contextmanager
def _stdout_kept_apart() -> Iterator[BinaryIO]:
    """What was standard output; whatever is printed meanwhile goes to standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield out
        finally:
            os.dup2(out.fileno(), 1)
