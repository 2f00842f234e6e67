"""A desk without a bot, on a clone of this repository whose gate looks at formatting alone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from policies.load import load_rules
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.types import Proposal, Request, Stage
from tests.fakes.world import clone, git

ME = "console:tests"
ROLL = "bot/live/roll/feature.py"
LIGHT = '[gate]\nchecks = ["format"]\n'


@pytest.fixture
def place(tmp_path: Path, caches: Path) -> Place:
    root = clone(tmp_path / "repo", LIGHT)
    home = tmp_path / "home"
    home.mkdir()
    caches.mkdir(exist_ok=True)
    (home / "caches").symlink_to(caches)
    over = tmp_path / "over.toml"
    over.write_text(LIGHT)
    return Place(root=root, home=home, rules=load_rules(over))


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    made = Desk(place, None, lambda _: None)
    yield made
    await made.close()


def setting(text: str, target: str = "USAGE", path: str = ROLL) -> dict[str, str]:
    return {"op": "set_constant", "path": path, "target": target, "value": text}


async def ask(desk: Desk, question: BaseModel) -> Proposal | str:
    """The proposal that a question ends with, or the sentence of a refusal."""
    answer = await desk.answer(question)
    if isinstance(answer, say.Refused):
        return answer.why
    assert isinstance(answer, say.ProposalIs), answer
    return answer.proposal


async def improve(desk: Desk, *rows: dict[str, str]) -> Proposal:
    found = await ask(
        desk, say.Improve(request=Request(requested_by=ME, edits=parse_edits(json.dumps(rows))))
    )
    assert isinstance(found, Proposal), found
    return found


async def opened(desk: Desk, *rows: dict[str, str]) -> int:
    found = await improve(desk, *rows)
    assert found.stage is Stage.OPENED, found.why
    return found.number


async def approve(desk: Desk, number: int, head: str | None = None, by: str = ME) -> Proposal | str:
    return await ask(desk, say.Approve(number=number, by=by, head=head))


async def rolled_back(desk: Desk, number: int | None = None) -> Proposal:
    found = await ask(desk, say.Rollback(number=number, by=ME))
    assert isinstance(found, Proposal), found
    return found


async def reopened(desk: Desk) -> Desk:
    """The desk as the next process has it."""
    await desk.close()
    return Desk(desk.place, None, lambda _: None)


def commit(desk: Desk, files: dict[str, str], message: str) -> str:
    """What a person commits by hand to the branch that is checked out."""
    for path, text in files.items():
        (desk.repo.root / path).write_text(text)
    git(desk.repo.root, "add", *files)
    person = ("-c", "user.name=Ann", "-c", "user.email=ann@localhost")
    git(desk.repo.root, *person, "commit", "-qm", message)
    return git(desk.repo.root, "rev-parse", "HEAD")


async def merged(desk: Desk, number: int) -> Proposal:
    found = await approve(desk, number)
    assert isinstance(found, Proposal), found
    assert found.stage is Stage.MERGED, found.why
    return found


def clean(desk: Desk) -> bool:
    return git(desk.repo.root, "status", "--porcelain") == ""
