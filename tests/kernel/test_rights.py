"""Who may do what: the rules' table, how the owner changes it, and what it means for approvals."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.load import Rules, load_rules
from policies.merge import may_decide
from policies.rights import (
    CAPABILITIES,
    POWERS,
    Capability,
    Grant,
    Person,
    basis,
    holders,
    may,
    may_change,
    through,
    with_change,
)
from selfedit import protocol as say
from selfedit.answers.render import answer, plain
from selfedit.history.ledger import Ledger
from selfedit.history.record import Record
from selfedit.rights import standing
from selfedit.running.verify import grants as told
from selfedit.types import Granted
from tests.kernel.test_record import drafted

PLAIN = load_rules()
RULES: Rules = PLAIN.model_copy(
    update={"approval": PLAIN.approval.model_copy(update={"maintainers": ("discord:2",)})}
)
ANN, MAINTAINER = Person("discord:1"), Person("discord:2")
OWNER = Person("discord:3", frozenset({"owner"}))
MANAGER = Person("discord:4", frozenset({"manager", "discord:role/40"}))
OPERATOR = Person("console:me")
NONE: frozenset[Grant] = frozenset()


@pytest.mark.parametrize(
    ("person", "capabilities"),
    [
        (ANN, {"chat"}),
        (MANAGER, {"chat", "see"}),
        (MAINTAINER, {"chat", "see", "propose", "approve", "halt"}),
        (OWNER, {"chat", "see", "propose", "halt", "setup"}),
        (OPERATOR, set(CAPABILITIES)),
    ],
)
def test_the_table_of_the_rules(person: Person, capabilities: set[str]) -> None:
    """What each may do before anybody changed anything."""
    assert {one for one in CAPABILITIES if may(one, person, NONE, RULES).allowed} == capabilities


def test_a_role_counts_for_whoever_has_it_now() -> None:
    """A right that a role has is there for as long as the role is."""
    grants = {Grant("discord:role/40", "propose")}
    assert may("propose", MANAGER, grants, RULES).allowed
    assert not may("propose", Person(MANAGER.id), grants, RULES).allowed
    assert not may("approve", MANAGER, grants, RULES).allowed


def test_chat_can_be_made_smaller_and_wide_again() -> None:
    """Without everyone, a role chats, and so do owner and maintainers; the opposite change brings back what was."""
    grants = with_change(NONE, Grant("everyone", "chat", allowed=False))
    grants = with_change(grants, Grant("discord:role/40", "chat"))
    assert [may("chat", one, grants, RULES).allowed for one in (ANN, MANAGER, OWNER, MAINTAINER)] == [
        False,
        True,
        True,
        True,
    ]
    wide = with_change(grants, Grant("everyone", "chat"))
    assert may("chat", ANN, wide, RULES).allowed
    assert wide == {Grant("discord:role/40", "chat")}


def test_who_calls_themselves_a_maintainer_is_none() -> None:
    """The word `maintainer` among somebody's roles counts for nothing: the rules' list does."""
    assert not may("approve", Person("discord:9", frozenset({"maintainer"})), NONE, RULES).allowed


@pytest.mark.parametrize(
    ("person", "change", "rule"),
    [
        (ANN, Grant("discord:1", "approve"), "not_allowed"),
        (MAINTAINER, Grant("discord:1", "see"), "not_allowed"),
        (MANAGER, Grant("discord:4", "setup"), "not_allowed"),
        (OWNER, Grant("everyone", "approve"), "too_wide"),
        (OPERATOR, Grant("everyone", "setup"), "too_wide"),
        (OWNER, Grant("manager", "halt"), "too_wide"),
        (OWNER, Grant("ann", "see"), "unclear_who"),
        (OWNER, Grant("console:ann", "see"), "unclear_who"),
        (OWNER, Grant("discord:role/", "see"), "unclear_who"),
        (OWNER, Grant("discord:1\n", "see"), "unclear_who"),
        (OWNER, Grant("manager", "see"), "no_change"),
        (OWNER, Grant("discord:1", "see", allowed=False), "no_change"),
        (OWNER, Grant("owner", "setup", allowed=False), "by_rules"),
        (OWNER, Grant("owner", "chat", allowed=False), "by_rules"),
        (OWNER, Grant("maintainer", "approve", allowed=False), "by_rules"),
    ],
)
def test_a_change_that_is_refused_says_why(person: Person, change: Grant, rule: str) -> None:
    """Only who sets up changes rights; powers go to nobody in particular never, and the owner keeps what is theirs."""
    decision = may_change(change, person, NONE, RULES)
    assert [finding.rule for finding in decision.findings] == [rule]
    assert decision.why.endswith(".")


@pytest.mark.parametrize(
    "change",
    [
        Grant("discord:1", "approve"),
        Grant("discord:role/40", "setup"),
        Grant("everyone", "see"),
        Grant("everyone", "chat", allowed=False),
        Grant("manager", "see", allowed=False),
    ],
)
def test_the_owner_changes_the_table(change: Grant) -> None:
    """Persons and roles get any right; what the rules give in chatting, looking and asking can be taken back."""
    assert may_change(change, OWNER, NONE, RULES).allowed
    assert may_change(change, OPERATOR, NONE, RULES).allowed


def test_nobody_takes_the_right_to_set_up_from_themselves() -> None:
    """Who was granted it may give it and take it from others, but not lock themselves out by a slip."""
    grants = frozenset({Grant("discord:1", "setup"), Grant("discord:role/40", "setup")})
    mine = Grant("discord:1", "setup", allowed=False)
    assert [finding.rule for finding in may_change(mine, ANN, grants, RULES).findings] == ["lock_out"]
    assert may_change(mine, OWNER, grants, RULES).allowed
    assert may_change(mine, Person("discord:1", frozenset({"owner"})), grants, RULES).allowed


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_change_and_its_opposite_leave_nothing(capability: Capability) -> None:
    """Granting and withdrawing in either order is as if nothing had been."""
    for first in (True, False):
        once = with_change(NONE, Grant("discord:1", capability, allowed=first))
        assert with_change(once, Grant("discord:1", capability, allowed=not first)) == NONE


def test_a_granted_maintainer_approves_what_somebody_else_asked_for() -> None:
    """A person, or a role, that was granted it approves; the requester never does, nor anybody without it."""
    grants = {Grant("discord:1", "approve"), Grant("discord:role/40", "approve")}
    assert may_decide(ANN, "discord:9", RULES, grants).allowed
    assert may_decide(MANAGER, "discord:9", RULES, grants).allowed
    assert not may_decide(ANN, "discord:1", RULES, grants).allowed
    assert not may_decide(OWNER, "discord:9", RULES, grants).allowed
    assert not may_decide(Person("discord:4"), "discord:9", RULES, grants).allowed
    assert may_decide(MAINTAINER, "discord:9", RULES, grants).allowed


def test_an_approval_names_the_grant_that_it_needed() -> None:
    """By the rules or at the console no grant is needed; else it is named, so that the ledger can be checked."""
    grants = {Grant("discord:1", "approve"), Grant("discord:role/40", "approve")}
    found = [through("approve", one, grants, RULES) for one in (ANN, MANAGER, MAINTAINER, OPERATOR)]
    assert found == ["discord:1", "discord:role/40", "", ""]


def test_the_ledger_keeps_who_granted_what(tmp_path: Path) -> None:
    """Changes are read again after a restart, with who made them; what was taken back is gone."""
    record = Record(Ledger(tmp_path))
    record.write("granted", who="discord:1", capability="approve", by="discord:3")
    record.write("granted", who="discord:5", capability="see", by="console:me")
    record.write("withdrawn", who="discord:5", capability="see", by="discord:3")
    record.write("withdrawn", who="everyone", capability="chat", by="discord:3")
    again = Record(Ledger(tmp_path))
    assert again.grants == {Grant("discord:1", "approve"), Grant("everyone", "chat", allowed=False)}
    assert [line.partition(", ")[0] for line in told(again)] == [
        "discord:1 may approve: said by discord:3",
        "everyone may not chat: said by discord:3",
    ]
    assert "everyone" not in holders("chat", again.grants, RULES)


def test_an_approval_through_a_grant_that_never_was_does_not_verify(tmp_path: Path) -> None:
    """An approval through a grant that stood then is sound, whatever became of the grant; any other is named."""
    record = Record(Ledger(tmp_path))
    record.write("granted", who="discord:role/40", capability="approve", by="discord:3")
    for number, grant in ((1, "discord:role/40"), (2, "discord:role/41")):
        drafted(record, number)
        record.write("gated", number, report=REPORT)
        record.write("opened", number)
        record.write("endorsed", number, by="discord:4", head="h", self_approved=False, through=grant)
    record.write("withdrawn", who="discord:role/40", capability="approve", by="discord:3")
    assert Record(Ledger(tmp_path)).unfounded == [
        "proposal 2 was approved by discord:4 as discord:role/41, whom nobody had allowed to"
    ]


def test_an_approval_without_a_basis_does_not_verify(tmp_path: Path) -> None:
    """Since the first approval that says by what right it was given each one does; those before it stay sound."""
    record = Record(Ledger(tmp_path))
    for number, by, said in (
        (1, "discord:1", {}),
        (2, "console:me", {"basis": "console"}),
        (3, "discord:1", {"basis": "maintainer"}),
        (4, "discord:2", {}),
        (5, "discord:3", {"basis": "console"}),
    ):
        drafted(record, number)
        record.write("gated", number, report=REPORT)
        record.write("opened", number)
        record.write("endorsed", number, by=by, head="h", self_approved=False, **said)
    assert [one.partition(", ")[0] for one in Record(Ledger(tmp_path)).unfounded] == [
        "proposal 4 was approved by discord:2",
        "proposal 5 was approved by discord:3",
    ]


def test_the_basis_is_what_the_rules_say_before_any_grant() -> None:
    """The operator, who is a maintainer, and who was granted it: each approves by that; nobody else by anything."""
    grants = frozenset({Grant("discord:1", "approve"), Grant(MAINTAINER.id, "approve")})
    found = [basis("approve", one, grants, RULES) for one in (OPERATOR, MAINTAINER, ANN, MANAGER)]
    assert found == ["console", "maintainer", "discord:1", ""]


REPORT = {"verdict": "passed", "base": "b", "head": "h", "policy": "p"}


def test_people_are_shown_who_may_do_what() -> None:
    """The table names everyone who may, and each change with who made it; nothing in a name steers a terminal."""
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    change = Granted(who="discord:1", capability="see", by="discord:3", at=now)
    holders = {"see": ("discord:1", "own\x1ber")}
    said = plain(answer(say.RightsAre.model_validate({"granted": (change,), "holders": holders})))
    assert "discord:1, own\\x1ber" in said
    assert "discord:1 may see: said by discord:3, 2026-01-02 03:04 UTC" in said
    assert "nobody" in said


PEOPLE = st.sampled_from([ANN, MAINTAINER, OWNER, MANAGER, OPERATOR])
NAMES = st.sampled_from(
    ["everyone", "manager", "maintainer", "owner", "discord:1", "discord:2", "discord:4", "discord:role/40"]
)
CHANGES = st.lists(
    st.tuples(PEOPLE, st.builds(Grant, NAMES, st.sampled_from(CAPABILITIES), allowed=st.booleans())),
    max_size=40,
)


@given(CHANGES)
def test_no_order_of_changes_opens_a_power_or_shuts_the_owner_out(tried: list[tuple[Person, Grant]]) -> None:
    """Whoever tries what in whatever order: powers are nobody's in particular, and what the rules give of them stays."""
    grants = NONE
    for person, change in tried:
        if may_change(change, person, grants, RULES).allowed:
            assert may("setup", person, grants, RULES).allowed
            grants = with_change(grants, change)
    for power in POWERS:
        assert not {"everyone", "manager"} & holders(power, grants, RULES)
        assert set(getattr(RULES.rights, power)) <= holders(power, grants, RULES)
    assert all(may(one, OWNER, grants, RULES).allowed for one in ("chat", "see", "propose", "halt", "setup"))


def test_who_asks_or_approves_may_look() -> None:
    """Nobody is asked to approve what they may not see; and as long as they may, looking cannot be taken from them alone."""
    anna = Person("discord:7")
    for capability in ("propose", "approve"):
        grants = frozenset({Grant(anna.id, capability)})
        assert may("see", anna, grants, RULES).allowed
        decision = may_change(Grant(anna.id, "see", allowed=False), OWNER, grants, RULES)
        assert [one.rule for one in decision.findings] == ["implied"]
    assert not may("see", anna, frozenset(), RULES).allowed


def test_people_of_github_are_named_only_where_proposals_are_shown_there() -> None:
    """Where main lives here nobody is told of a role that nobody can have."""
    rules = load_rules()
    assert "github:role/write" not in standing((), rules).holders["approve"]
    assert "github:role/write" in standing((), rules, on_github=True).holders["approve"]
