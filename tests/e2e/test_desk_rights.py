"""The steward's word on who may do what: it counts whatever the bot has found, and the ledger tells of it."""

from pydantic import BaseModel

from policies.rights import Grant
from selfedit import protocol as say
from selfedit.process.desk import Desk
from selfedit.running.verify import grants, verify
from selfedit.types import Proposal, Request, Stage
from tests.e2e.desk_world import ME, ask, desk, merged, opened, place, reopened, setting
from tests.e2e.test_approvals import first_of_two

__all__ = ["desk", "place"]

ANN, BOB, EVE = "discord:1", "discord:2", "discord:6"
CREW = "discord:role/40"
OWNER = "discord:3"


async def granted(desk: Desk, to: str) -> None:
    """Let the owner allow somebody to approve."""
    answer = await desk.answer(say.Grant(to=to, capability="approve", by=OWNER, roles=("owner",)))
    assert isinstance(answer, say.RightsAre), answer
    assert to in answer.holders["approve"]


async def as_mate(desk: Desk, number: int, by: str) -> Proposal | str:
    """Let somebody with the role approve."""
    return await ask(desk, say.Approve(number=number, by=by, roles=(CREW,)))


async def refusal(desk: Desk, message: BaseModel) -> str:
    answer = await desk.answer(message)
    assert isinstance(answer, say.Refused), answer
    return answer.why


async def test_whoever_has_no_right_is_refused_by_the_steward_itself(desk: Desk) -> None:
    """Each thing that changes anything is refused to somebody who may only chat; nothing is written down for it."""
    number = await opened(desk, setting('"one"'))
    rows = desk.record.ledger.last_hash
    for message, why in (
        (say.Improve(request=Request(requested_by=EVE, goal="less")), "ask for changes"),
        (say.Approve(number=number, by=EVE), "maintainers"),
        (say.Reject(number=number, by=EVE), "maintainers"),
        (say.Rollback(by=EVE), "maintainers"),
        (say.Halt(by=EVE), "may halt"),
        (say.Resume(by=EVE), "may halt"),
        (say.Grant(by=EVE, to=EVE, capability="approve"), "the owner"),
        (say.Withdraw(by=EVE, to="everyone", capability="chat"), "the owner"),
    ):
        assert why in await refusal(desk, message)
    assert desk.record.ledger.last_hash == rows


async def test_a_granted_role_approves_while_it_is_there(desk: Desk) -> None:
    """Who has the role approves, and the proof holds; without the role, or after the grant is gone, nobody does."""
    await granted(desk, CREW)
    first = await opened(desk, setting('"one"'))
    assert "maintainers" in str(await ask(desk, say.Approve(number=first, by=ANN)))
    done = await as_mate(desk, first, ANN)
    assert isinstance(done, Proposal)
    assert done.stage is Stage.MERGED
    (row,) = [move for move in desk.record.ledger.moves() if move.kind == "approved"]
    assert (row.data["basis"], row.data["through"]) == (CREW, CREW)
    await desk.answer(say.Withdraw(to=CREW, capability="approve", by=OWNER, roles=("owner",)))
    second = await opened(desk, setting('"two"'))
    assert "maintainers" in str(await as_mate(desk, second, ANN))
    live = desk.place.rules.zones.live
    assert verify(desk.repo, desk.record.ledger, desk.signer, live, None) == []


async def test_two_approvals_are_of_two_people_and_none_of_who_asked(desk: Desk) -> None:
    """One role or not: the second approval is another person's, and who asked gives neither."""
    await granted(desk, CREW)
    once = await first_of_two(desk)
    desk.record.proposals[once.number] = once.model_copy(update={"approvals": (ANN,), "requested_by": EVE})
    assert "another maintainer" in str(await as_mate(desk, once.number, ANN))
    assert "whoever asked" in str(await as_mate(desk, once.number, EVE))
    done = await as_mate(desk, once.number, BOB)
    assert isinstance(done, Proposal)
    assert done.approvals == (ANN, BOB)


async def test_changes_are_kept_told_and_shown(desk: Desk) -> None:
    """A grant is told to the bot, survives a restart, and the proof says who gave it."""
    told: list[BaseModel] = []
    desk._spread = told.append
    await granted(desk, ANN)
    assert [one.granted[0].grant for one in told if isinstance(one, say.RightsAre)] == [Grant(ANN, "approve")]
    again = await reopened(desk)
    assert [line.partition(",")[0] for line in grants(again.record)] == [
        f"{ANN} may approve: said by discord:3"
    ]
    await again.close()


async def test_an_approval_through_a_grant_that_never_was_is_found(desk: Desk) -> None:
    """A row that claims a right which nobody had given does not verify."""
    done = await merged(desk, await opened(desk, setting('"one"')))
    desk.record.ledger.append(
        "headed", done.number, base=done.base, head=done.head, branch=done.branch
    )  # as if it were to be approved anew
    desk.record.ledger.append(
        "endorsed", done.number, by=EVE, head=done.head, self_approved=False, through=CREW
    )
    faults = verify(desk.repo, desk.record.ledger, desk.signer, desk.place.rules.zones.live, None)
    assert any("whom nobody had allowed to" in fault for fault in faults)


async def test_an_approval_that_does_not_say_by_what_right_is_found(desk: Desk) -> None:
    """A row without a basis does not verify, where those before it have one."""
    done = await merged(desk, await opened(desk, setting('"one"')))
    (row,) = [move for move in desk.record.ledger.moves() if move.kind == "approved"]
    assert row.data["basis"] == "console"
    live = desk.place.rules.zones.live
    assert verify(desk.repo, desk.record.ledger, desk.signer, live, None) == []
    desk.record.ledger.append("headed", done.number, base=done.base, head=done.head, branch=done.branch)
    desk.record.ledger.append("endorsed", done.number, by=EVE, head=done.head, self_approved=False)
    faults = verify(desk.repo, desk.record.ledger, desk.signer, live, None)
    assert any("by what right is not said" in fault for fault in faults)


async def test_the_operator_may_do_all_of_it(desk: Desk) -> None:
    """At the console no grant is needed; what nobody may be given is refused there as well."""
    answer = await desk.answer(say.Grant(to=BOB, capability="setup", by=ME))
    assert isinstance(answer, say.RightsAre)
    assert "not for everyone" in await refusal(desk, say.Grant(to="everyone", capability="approve", by=ME))
    assert isinstance(await desk.answer(say.Halt(by=ME)), say.Done)
