"""What moves `main`: an approval that fails is void, a rollback says what it takes along, a hand on `main` is noticed."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from pydantic import BaseModel

from policies.decision import Decision, Finding
from selfedit import protocol as say
from selfedit.commands import GitFailed
from selfedit.history.ledger import Ledger, LedgerProblem
from selfedit.history.record import Record
from selfedit.history.signing import SigningProblem
from selfedit.process.client import ask as ask_by_command
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.process.steward import Steward
from selfedit.running.bot_process import BotProcess
from selfedit.start import python
from selfedit.types import LoadPlan, Proposal, Request, Stage
from tests.e2e.desk_world import (
    ME,
    ROLL,
    approve,
    ask,
    clean,
    commit,
    desk,
    improve,
    merged,
    opened,
    place,
    reopened,
    rolled_back,
    setting,
)
from tests.fakes.world import clone, git

__all__ = ["desk", "place"]


def locked(desk: Desk) -> Path:
    """A lock that a git which died left on the branch."""
    lock = desk.repo.common_dir / "refs/heads/main.lock"
    lock.touch()
    return lock


async def test_an_approval_whose_merge_cannot_be_signed_is_void(desk: Desk) -> None:
    """With a broken key nothing is merged, then or at the next start, until somebody approves again."""
    number = await opened(desk, setting('"one"'))
    key = desk.place.home / "keys/signing_ed25519"
    good, main = key.read_text(), desk.repo.main()
    key.write_text("broken\n")
    said = await approve(desk, number)
    assert isinstance(said, str)
    assert "approve it again" in said
    key.write_text(good)
    desk = await reopened(desk)
    await desk.mainline.settle()
    assert desk.repo.main() == main
    again = desk.record.proposals[number]
    assert (again.stage, again.why, again.approvals) == (Stage.OPENED, said, ())
    assert (await merged(desk, number)).why == ""
    await desk.close()


async def test_an_announced_merge_whose_ref_is_locked_is_called_off(desk: Desk) -> None:
    """A lock on the branch: the move is abandoned with its reason, and does not happen when the lock is gone."""
    number = await opened(desk, setting('"one"'))
    main, lock = desk.repo.main(), locked(desk)
    assert "main.lock" in str(await approve(desk, number))
    lock.unlink()
    await desk.mainline.settle()
    assert (desk.repo.main(), desk.record.pending) == (main, {})
    assert "main.lock" in desk.record.proposals[number].why
    await merged(desk, number)
    assert clean(desk)


async def test_a_rollback_whose_ref_is_locked_is_called_off(desk: Desk) -> None:
    """Whoever was told that nothing was taken back finds it so afterwards, and can ask again."""
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    main, lock = desk.repo.main(), locked(desk)
    assert "not taken back" in str(await ask(desk, say.Rollback(by=ME)))
    lock.unlink()
    await desk.mainline.settle()
    assert desk.repo.main() == main
    assert (await rolled_back(desk)).stage is Stage.REVERTED


async def nobody_asks(body: BaseModel) -> BaseModel | None:
    """What the bot would ask, which here it does not."""
    raise AssertionError(body)


class Bot(BotProcess):
    """A bot that serves whatever it is told to."""

    on_probation: int = 0
    """The proposal in what it serves that has still to prove itself."""

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Serve it."""
        self.running, self.on_probation = plan.commit, plan.provisional
        return None


async def test_bad_code_is_off_duty_at_once_though_main_is_being_judged(place: Place) -> None:
    """While people's commits are judged nothing can be reverted, and what ran before the bad change serves again."""
    bot = Bot(["true"], place.root, place.home, place.rules.watch, nobody_asks)
    desk = Desk(place, bot, lambda _: None)
    await approve(desk, await opened(desk, setting('"one"')))
    assert (bot.running, bot.on_probation) == (desk.repo.main(), 1)
    before = desk.repo.parents(bot.running)[0]
    theirs = commit(desk, {"README.md": "Mine.\n"}, "Say it shorter")
    judging = asyncio.create_task(desk.mainline.adopt())
    await asyncio.sleep(0)
    assert desk.mainline.busy
    said = await desk.mainline.condemn(1, "it is slow")
    assert isinstance(said, Decision)
    assert (said.findings[0].rule, bot.running, judging.done()) == ("main_busy", before, False)
    assert bot.on_probation == 0
    refused = await ask(desk, say.Improve(request=Request(requested_by=ME)))
    assert "1 is being taken back" in str(refused)
    assert Record(Ledger(place.home)).owed == {1: "it is slow"}
    assert await judging is None
    assert desk.repo.is_ancestor(theirs, desk.repo.main())
    assert desk.serving.keep(before) == []
    assert await desk.mainline.pay() == [1]
    assert (desk.record.proposals[1].stage, bot.running) == (Stage.REVERTED, desk.repo.main())
    assert '"one"' not in (desk.repo.root / ROLL).read_text()
    await desk.close()


async def test_what_was_taken_back_is_not_served_again_for_another(place: Place) -> None:
    """While a later change waits to be reverted, what serves instead has no change that was reverted meanwhile."""
    bot = Bot(["true"], place.root, place.home, place.rules.watch, nobody_asks)
    desk = Desk(place, bot, lambda _: None)
    installed = desk.repo.main()
    for row in (setting('"one"'), setting("90", "MOST_DICE")):
        await approve(desk, await opened(desk, row))
    file = place.root / ROLL
    theirs = file.read_text()
    file.write_text(theirs + "# somebody is at work here\n")
    assert isinstance(await desk.mainline.condemn(2, "it is slow"), Decision)
    assert bot.running == desk.record.proposals[1].merge
    file.write_text(theirs)
    taken = await desk.mainline.take_back(1, ME, "not wanted")
    assert isinstance(taken, Proposal)
    assert taken.stage is Stage.REVERTED
    assert desk.serving.target() == installed == bot.running
    assert await desk.mainline.pay() == [2]
    assert (desk.record.owed, bot.running) == ({}, desk.repo.main())
    await desk.close()


async def test_a_merge_that_a_crash_cut_short_is_carried_out(desk: Desk) -> None:
    """An approval that nobody was told the end of is still good at the next start."""
    number = await opened(desk, setting('"one"'))
    head = desk.record.proposals[number].head
    desk.record.write("approved", number, by=ME, head=head, self_approved=True)
    desk = await reopened(desk)
    await desk.mainline.settle()
    assert desk.record.proposals[number].stage is Stage.MERGED
    await desk.close()


async def test_a_full_ledger_leaves_no_approval_armed(desk: Desk) -> None:
    """When the ledger cannot take the merge, the approval is void as soon as the ledger can say so."""
    number = await opened(desk, setting('"one"'))
    main = desk.repo.main()
    ledger = sqlite3.connect(desk.place.home / "ledger.sqlite3")
    ledger.execute(
        "create trigger full before insert on moves when new.kind in ('merging', 'opened') "
        "begin select raise(abort, 'disk is full'); end"
    )
    with pytest.raises(LedgerProblem, match="disk is full"):
        await approve(desk, number)
    ledger.execute("drop trigger full")
    ledger.close()
    assert desk.mainline.unsettled
    await desk.mainline.settle()
    assert (desk.record.proposals[number].stage, desk.repo.main()) == (Stage.OPENED, main)
    assert not desk.mainline.unsettled


async def test_a_head_that_a_crash_left_unjudged_is_not_merged(desk: Desk) -> None:
    """Edits applied anew make a head that nobody approved: the next start judges it and asks."""
    first, second = await opened(desk, setting('"one"')), await opened(desk, setting('"two"'))
    await merged(desk, first)
    main, before = desk.repo.main(), desk.record.proposals[second]
    desk.record.write("approved", second, by=ME, head=before.head, self_approved=True)
    tree = desk.repo.write_tree(main, {ROLL: b"USAGE = 1\n"})
    fresh = desk.repo.commit(tree, [main], "anew")
    desk.record.write("headed", second, base=main, head=fresh, branch=before.branch)
    desk = await reopened(desk)
    await desk.mainline.settle()
    assert desk.repo.main() == main
    now = desk.record.proposals[second]
    assert (now.stage, now.head, now.approvals) == (Stage.OPENED, fresh, ())
    await desk.close()


async def test_what_cannot_be_judged_anew_keeps_its_head_and_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits are to be applied anew while no sandbox is to be had: nothing ends, and approving again goes on from there."""
    first, second = await opened(desk, setting('"one"')), await opened(desk, setting('"two"'))
    await merged(desk, first)
    before, sandbox = desk.record.proposals[second], desk._sandbox
    desk._sandbox = None
    monkeypatch.setenv("THESEUS_SANDBOX", "none")
    said = str(await approve(desk, second))
    assert "could not be judged" in said
    assert "approve it again" in said
    now = desk.record.proposals[second]
    assert (now.stage, now.head, now.approvals, now.why) == (Stage.OPENED, before.head, (), said)
    desk._sandbox = sandbox
    assert "look at the new head" in str(await approve(desk, second))
    assert desk.record.proposals[second].head != before.head
    await merged(desk, second)


async def test_a_head_that_a_crash_left_unjudged_waits_until_it_can_be(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sandbox is to be had at the next start either: it is not merged, does not end, and is judged at a later one."""
    first, second = await opened(desk, setting('"one"')), await opened(desk, setting('"two"'))
    await merged(desk, first)
    main, before = desk.repo.main(), desk.record.proposals[second]
    desk.record.write("approved", second, by=ME, head=before.head, self_approved=True)
    tree = desk.repo.write_tree(main, {ROLL: b"USAGE = 1\n"})
    fresh = desk.repo.commit(tree, [main], "anew")
    desk.record.write("headed", second, base=main, head=fresh, branch=before.branch)
    monkeypatch.setenv("THESEUS_SANDBOX", "none")
    desk = await reopened(desk)
    await desk.mainline.settle()
    now = desk.record.proposals[second]
    assert (now.stage, now.head, desk.repo.main()) == (Stage.APPROVED, fresh, main)
    assert "could not be judged" in now.why
    monkeypatch.delenv("THESEUS_SANDBOX")
    desk = await reopened(desk)
    await desk.mainline.settle()
    now = desk.record.proposals[second]
    assert (now.stage, now.head, now.approvals) == (Stage.OPENED, fresh, ())
    await desk.close()


async def test_a_rollback_names_the_commits_of_people_that_it_takes_along(desk: Desk) -> None:
    """Where only the tree before can come back, people's commits since are named in answer, ledger and history."""
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    text = (desk.repo.root / ROLL).read_text().replace('"one"', '"mine"')
    theirs = commit(desk, {ROLL: text, "CHANGELOG.md": "Mine.\n"}, "Say it my way\n\nAt length.")
    assert await desk.mainline.adopt() is None
    back = await rolled_back(desk, number)
    named = f"{theirs[:12]} Say it my way"
    assert named in back.why
    row = [move for move in desk.record.ledger.moves() if move.kind == "reverted"][-1]
    assert row.data["dropped"] == [named]
    assert theirs[:12] in git(desk.repo.root, "log", "-1", "--format=%B", "main")
    assert desk.mainline.kernel_moved
    assert clean(desk)


async def test_a_rollback_takes_down_what_was_built_on_it(desk: Desk) -> None:
    """Where the tree before comes back, later proposals are taken back too, also when a crash came in between."""
    first = await opened(desk, setting('"one"'))
    await merged(desk, first)
    second = await opened(desk, setting('"two"'))
    await merged(desk, second)
    lock = locked(desk)
    main = desk.repo.main()
    await ask(desk, say.Rollback(number=first, by=ME))
    announced = [move for move in desk.record.ledger.moves() if move.kind == "reverting"][-1]
    desk.record.write("reverting", first, **announced.data)
    lock.unlink()
    desk = await reopened(desk)
    await desk.mainline.settle()
    stages = [desk.record.proposals[number].stage for number in (first, second)]
    assert stages == [Stage.REVERTED, Stage.REVERTED]
    assert f"proposal {second}" in desk.record.proposals[first].why
    assert f"built on proposal {first}" in desk.record.proposals[second].why
    assert desk.repo.main() != main
    assert desk.record.newest_merged() is None
    await desk.close()


async def test_nothing_is_built_on_a_branch_that_was_moved_back(desk: Desk) -> None:
    """An older commit of ours on main refuses proposals, approvals and rollbacks, with the way out."""
    waiting = await opened(desk, setting("90", "MOST_DICE"))
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    newest = desk.repo.main()
    git(desk.repo.root, "reset", "-q", "--hard", desk.record.genesis)
    way_out = f"git reset --keep {newest[:12]}"
    assert way_out in str(await approve(desk, waiting))
    assert way_out in desk.cannot_edit()
    assert "moved by hand" in str(await ask(desk, say.Rollback(by=ME)))
    assert desk.record.proposals[number].stage is Stage.MERGED
    git(desk.repo.root, "reset", "-q", "--keep", newest)
    assert desk.cannot_edit() == ""
    await merged(desk, waiting)


class Hearing(Steward):
    """A steward without a bot that only remembers its news."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, python(place.root, "bot"))
        self.heard: list[str] = []

    def _news(self, text: str) -> None:
        self.heard.append(text)


async def test_a_branch_that_was_moved_back_is_announced_once(place: Place) -> None:
    """People hear of it, with the way out, and are not told again while nothing changes."""
    steward = Hearing(place)
    desk = steward.desk
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    newest = desk.repo.main()
    git(desk.repo.root, "reset", "-q", "--hard", desk.record.genesis)
    for _ in range(3):
        await steward._look_at_main()
    assert len(steward.heard) == 1
    assert newest[:12] in steward.heard[0]
    await desk.close()


async def test_commits_that_cannot_be_judged_are_announced_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sandbox people hear once that their commit is judged and once that it cannot be."""
    monkeypatch.setenv("THESEUS_SANDBOX", "docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    steward = Hearing(place)
    commit(steward.desk, {"CHANGELOG.md": "Mine.\n"}, "Write something down")
    for _ in range(3):
        await steward._look_at_main()
    assert len(steward.heard) == 2
    assert "judging" in steward.heard[0]
    assert "could not be judged" in steward.heard[1]
    await steward.desk.close()


async def test_a_ledger_that_does_not_verify_is_refused(desk: Desk) -> None:
    """On a ledger that was tampered with no desk opens, so that nothing is written to it."""
    await opened(desk, setting('"one"'))
    await desk.close()
    ledger = sqlite3.connect(desk.place.home / "ledger.sqlite3")
    ledger.executescript("drop trigger moves_are_not_changed; update moves set data = '{}' where seq = 2;")
    ledger.close()
    with pytest.raises(LedgerProblem, match="does not verify"):
        Desk(desk.place, None, lambda _: None)


async def test_without_its_key_a_ledger_is_not_carried_on(desk: Desk) -> None:
    """Where the key is gone no other is made in its place, and a sentence says how to go on."""
    key = desk.place.home / "keys/signing_ed25519"
    await desk.close()
    key.rename(key.with_suffix(".away"))
    with pytest.raises(SigningProblem, match="put it back"):
        Desk(desk.place, None, lambda _: None)
    assert not key.exists()


async def test_the_public_half_of_the_key_is_made_again(desk: Desk) -> None:
    """Only the private key is needed: without the other, merges are signed and found good as before."""
    (desk.place.home / "keys/signing_ed25519.pub").unlink()
    desk = await reopened(desk)
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    assert desk.signer.signed(desk.repo, desk.repo.main())
    await desk.close()


async def test_a_checkout_that_could_not_follow_stops_the_move(desk: Desk) -> None:
    """A file of a person where the change needs a folder: nothing moves, and the sentence names it."""
    row = {"op": "create_module", "path": "bot/live/extra/words.py", "source": '"""Words."""\n'}
    number = await opened(desk, row)
    blocking = desk.repo.root / "bot/live/extra"
    blocking.write_text("mine\n")
    main = desk.repo.main()
    assert "bot/live/extra" in str(await approve(desk, number))
    assert desk.repo.main() == main
    assert blocking.read_text() == "mine\n"
    assert desk.record.proposals[number].stage is Stage.OPENED


async def test_a_fault_of_main_is_not_blamed_on_a_proposal(tmp_path: Path, place: Place) -> None:
    """Where the kernel itself breaks a contract of imports, the author is told so after one round."""
    root = clone(
        tmp_path / "upwards", files={"policies/zz.py": '"""Upwards."""\n\nimport bot.texts  # noqa: F401\n'}
    )
    gate = place.rules.gate.model_copy(update={"checks": ("imports",)})
    rules = place.rules.model_copy(update={"gate": gate})
    desk = Desk(Place(root=root, home=place.home, rules=rules), None, lambda _: None)
    ended = await improve(desk, setting('"one"'))
    assert ended.stage is Stage.FAILED
    assert "main itself does not pass" in ended.why
    await desk.close()


async def test_a_question_is_answered_while_a_revert_cannot_be_finished(desk: Desk) -> None:
    """A move of main that is held up keeps the command line from nothing but that move."""
    number = await opened(desk, setting('"one"'))
    await merged(desk, number)
    main = desk.repo.main()
    revert = desk.repo.commit(desk.repo.tree_of(desk.record.genesis), [main], "back", desk.signer.settings)
    desk.record.write("reverting", number, old=main, new=revert, why="slow", by=ME)
    lock = locked(desk)
    with pytest.raises(GitFailed):
        desk.repo.set_ref(desk.repo.ref, revert, main)
    await desk.close()
    answer = await ask_by_command(desk.place, say.Show(number=number), lambda _: None)
    assert isinstance(answer, say.ProposalIs)
    assert answer.proposal.stage is Stage.MERGED
    lock.unlink()
    answer = await ask_by_command(desk.place, say.Show(number=number), lambda _: None)
    assert isinstance(answer, say.ProposalIs)
    assert answer.proposal.stage is Stage.REVERTED
