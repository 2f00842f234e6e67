"""A trial load in a process of its own: does the live code of a folder come to life, twice, and talk?

The gate runs this on every proposal. Standard output carries one line of JSON, the verdict, and nothing else.
"""

import asyncio
import contextlib
import hashlib
import json
import sys
import threading
from pathlib import Path

from bot.generation import Generation, build, canary
from bot.texts import CODE, GenerationProblem
from selfedit.types import LoadPlan, SourceFile


def main(root: str) -> int:
    """Load what stands below `root` and print the verdict; the exit code is 0 if it is good."""
    said: dict[str, object] = {"ok": False, "why": "", "features": [], "commands": []}
    with contextlib.redirect_stdout(sys.stderr):
        try:
            generation = asyncio.run(_try(plan_of(Path(root))))
        except (GenerationProblem, OSError, UnicodeDecodeError) as error:
            said["why"] = str(error)
        else:
            features = [path.split("/")[2] for path in generation.blobs if path.endswith("/feature.py")]
            said |= {"ok": True, "features": sorted(features), "commands": sorted(generation.commands)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    return 0 if said["ok"] else 1


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


async def _try(plan: LoadPlan) -> Generation:
    threads = set(threading.enumerate())
    first, second = build(plan), build(plan)
    for generation in (first, second):
        await canary(generation)
    if first.commands.keys() != second.commands.keys():
        raise GenerationProblem("loaded twice, it answers to other commands the second time")
    if left := set(threading.enumerate()) - threads:
        raise GenerationProblem(f"it left a thread running: {left.pop().name}")
    if left_tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        raise GenerationProblem(f"it left a task running: {left_tasks.pop().get_name()}")
    return second
