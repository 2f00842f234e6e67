"""Faults and bad input around merging: each ends in one clear sentence, and nothing is lost or half done."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

from policies.decision import Finding
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.ports import Tell, Workbench
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.types import Draft, NoDraft, Proposal, Request, Stage
from tests.e2e.desk_world import (
    ME,
    ROLL,
    approve,
    ask,
    clean,
    desk,
    improve,
    merged,
    opened,
    place,
    setting,
)
from tests.fakes.world import git

__all__ = ["desk", "place"]


async def test_two_proposals_that_fit_together_are_both_merged(desk: Desk) -> None:
    """When main moved under an approved proposal, it is merged and judged again, and then goes on."""
    first = await opened(desk, setting('"one"'))
    second = await opened(desk, setting("90", "MOST_DICE"))
    await merged(desk, first)
    done = await merged(desk, second)
    assert done.report is not None
    assert done.report.base != done.head
    text = (desk.repo.root / ROLL).read_text()
    assert 'USAGE = "one"' in text
    assert "MOST_DICE = 90" in text
    assert clean(desk)


async def test_edits_replay_where_texts_conflict_and_the_new_head_needs_a_new_approval(desk: Desk) -> None:
    """Two changes of the same line: the second is applied anew, its approval is void, and the next one merges it."""
    first = await opened(desk, setting('"one"'))
    second = await opened(desk, setting('"two"'))
    before = desk.record.proposals[second].head
    await merged(desk, first)
    said = await approve(desk, second)
    assert isinstance(said, str)
    assert "approve again" in said
    assert desk.record.proposals[second].head != before
    assert isinstance(await approve(desk, second, before), str)
    await merged(desk, second)
    assert 'USAGE = "two"' in (desk.repo.root / ROLL).read_text()


async def test_a_change_of_something_that_is_gone_ends_as_a_conflict(desk: Desk) -> None:
    """Edits that do not apply to the new main end with the name of what is missing; main stays as it is."""
    first = await opened(desk, {"op": "rename_symbol", "path": ROLL, "target": "USAGE", "name": "HOW"})
    second = await opened(desk, setting('"two"'))
    await merged(desk, first)
    main = desk.repo.main()
    ended = await approve(desk, second)
    assert isinstance(ended, Proposal)
    assert ended.stage is Stage.FAILED
    assert "USAGE" in ended.why
    assert desk.repo.main() == main
    assert git(desk.repo.root, "branch", "--list", "improve/*") == ""


async def test_uncommitted_work_stops_a_merge_and_survives_it(desk: Desk) -> None:
    """A dirty live file is named; after it is put away the same approval works."""
    number = await opened(desk, setting('"one"'))
    file = desk.repo.root / ROLL
    good = file.read_text()
    file.write_text(good + "# mine\n")
    said = await approve(desk, number)
    assert isinstance(said, str)
    assert ROLL in said
    assert file.read_text().endswith("# mine\n")
    assert desk.record.proposals[number].stage is Stage.OPENED
    file.write_text(good)
    await merged(desk, number)


async def test_a_head_that_was_not_looked_at_is_not_approved(desk: Desk) -> None:
    """An approval that names another head, and one of a proposal that does not exist, are refused."""
    number = await opened(desk, setting('"one"'))
    assert "look at it again" in str(await approve(desk, number, "0" * 40))
    assert "no proposal 99" in str(await approve(desk, 99))


async def test_what_was_taken_back_twice_is_frozen(desk: Desk) -> None:
    """The same change is merged at most twice; after that a person has to change it."""
    for _ in range(2):
        number = await opened(desk, setting('"one"'))
        await merged(desk, number)
        back = await ask(desk, say.Rollback(by=ME))
        assert isinstance(back, Proposal)
        assert back.stage is Stage.REVERTED
    number = await opened(desk, setting('"one"'))
    assert "frozen" in str(await approve(desk, number))
    assert clean(desk)


async def test_a_rollback_keeps_what_was_merged_later(desk: Desk) -> None:
    """Taking an older proposal back leaves the newer one in place."""
    first = await opened(desk, setting('"one"'))
    await merged(desk, first)
    second = await opened(desk, setting("90", "MOST_DICE"))
    await merged(desk, second)
    back = await ask(desk, say.Rollback(number=first, by=ME))
    assert isinstance(back, Proposal)
    text = (desk.repo.root / ROLL).read_text()
    assert "MOST_DICE = 90" in text
    assert 'USAGE = "one"' not in text
    assert isinstance(await ask(desk, say.Rollback(number=first, by=ME)), str)


async def test_a_rollback_that_conflicts_ends_at_the_tree_before_it(desk: Desk) -> None:
    """Where the revert conflicts with something later, the last tree that was kept comes back as a new commit."""
    genesis = desk.repo.tree_of(desk.repo.main())
    first = await opened(desk, setting('"one"'))
    await merged(desk, first)
    second = await opened(desk, setting('"two"'))
    await merged(desk, second)
    back = await ask(desk, say.Rollback(number=first, by=ME))
    assert isinstance(back, Proposal)
    assert desk.repo.tree_of(desk.repo.main()) == genesis
    assert clean(desk)


@pytest.mark.parametrize(
    "row",
    [
        setting('"x"', path="policies/zones.py"),
        setting('"x"', path="bot/live/../app.py"),
        setting('"x"', path="/etc/passwd"),
        {"op": "write_text", "path": "bot/live/.git/config", "text": "x"},
        {"op": "write_text", "path": "pyproject.toml", "text": "x"},
        {"op": "replace_function", "path": ROLL, "target": "roll", "source": "def roll(:\n"},
        setting('"x"', target="NOTHING_LIKE_IT"),
        setting('"x"', path="bot/live/nowhere.py"),
    ],
)
async def test_edits_that_cannot_be_are_refused_before_anything_runs(desk: Desk, row: dict[str, str]) -> None:
    """Kernel paths, odd spellings, broken source and unknown names end as refused, with no ref and no sandbox."""
    ended = await improve(desk, row)
    assert ended.stage is Stage.REFUSED
    assert ended.why
    assert ended.report is None
    assert git(desk.repo.root, "branch", "--list", "improve/*") == ""


async def test_halted_means_no_change_until_resumed(desk: Desk) -> None:
    """While halted nothing is drafted or merged; afterwards it goes on."""
    number = await opened(desk, setting('"one"'))
    await desk.answer(say.Halt(by=ME))
    assert "halted" in str(await approve(desk, number))
    assert "halted" in str(await ask(desk, say.Improve(request=Request(requested_by=ME))))
    await desk.answer(say.Resume(by=ME))
    await merged(desk, number)


async def test_nothing_is_changed_while_head_is_detached(desk: Desk) -> None:
    """A detached HEAD is named with the way out, and no proposal is made."""
    git(desk.repo.root, "switch", "-q", "--detach")
    said = await ask(desk, say.Improve(request=Request(requested_by=ME)))
    assert "git switch main" in str(said)
    assert not desk.record.proposals


async def test_an_engine_that_hangs_is_no_verdict(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that accepts and never answers: the proposal fails as not judged, and main stays."""
    script = "import socket,sys,time\ns=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();print(1,flush=True);time.sleep(600)"
    path = Path("/tmp") / f"hang-{os.getpid()}.sock"  # noqa: S108 - a socket's path must be short
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as hanging:
        assert hanging.stdout is not None
        hanging.stdout.readline()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        monkeypatch.setenv("THESEUS_SANDBOX", "docker")
        desk = Desk(place, None, lambda _: None)
        try:
            ended = await improve(desk, setting('"one"'))
        finally:
            await desk.close()
            hanging.kill()
            path.unlink()
    assert ended.stage is Stage.FAILED
    assert "could not be judged" in ended.why


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB; skips where none may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=False
        ).returncode
    ):
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_leaves_main_as_it_was(place: Place, small_disk: Path) -> None:
    """When nothing can be written a sentence says so and the approval is void; with room again a new one merges."""
    root = small_disk / "repo"
    shutil.copytree(place.root, root)
    desk = Desk(Place(root=root, home=place.home, rules=place.rules), None, lambda _: None)
    try:
        number = await opened(desk, setting('"one"'))
        main = desk.repo.main()
        filler = small_disk / "filler"
        file = os.open(filler, os.O_CREAT | os.O_WRONLY)
        with contextlib.suppress(OSError):
            while True:
                os.write(file, b"x" * 4096)
        os.close(file)
        said = await approve(desk, number)
        assert isinstance(said, str)
        assert "approve it again" in said
        assert desk.repo.main() == main
        filler.unlink()
        await desk.mainline.settle()
        assert desk.record.proposals[number].stage is Stage.OPENED
        assert desk.repo.main() == main
        await merged(desk, number)
        assert git(root, "status", "--porcelain") == ""
    finally:
        await desk.close()


class Mending:
    """An author whose first draft is badly formatted."""

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """Draft badly, and well once something was complained of."""
        del request, bench
        tell("thinking")
        title, value = ("Mended", '"one"') if complaints else ("Hasty", "'one'")
        edits = parse_edits(json.dumps([setting(value)]))
        return Draft(title=title, reason="because", edits=edits, author="person")


async def test_a_second_round_is_told_where_it_stands(place: Place) -> None:
    """The stage that people read does not go back to the request, and the branch bears the title that was opened."""
    heard: list[BaseModel] = []
    desk = Desk(place, None, heard.append)
    desk.pipeline._authors = {"model": Mending()}
    ended = await ask(desk, say.Improve(request=Request(requested_by=ME, goal="be brief")))
    assert isinstance(ended, Proposal)
    assert (ended.stage, ended.branch) == (Stage.OPENED, f"improve/{ended.number}-mended")
    stages = [notice.stage for notice in heard if isinstance(notice, say.Progress)]
    assert Stage.REQUESTED not in stages[stages.index(Stage.GATED) :]
    await desk.close()
