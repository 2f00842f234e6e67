"""Who tests the tester: without any one of the policy's rules, some cheat gets further than it does with it."""

from collections import Counter
from dataclasses import dataclass

import pytest

from policies import edits
from policies.decision import Decision, Severity
from policies.edits import PAIR_RULES, RULES, TREE_RULES, Change, review_changes
from policies.load import Rules
from tests.gate.suite import CHEATS, Case, Victim, cases


@dataclass(frozen=True, slots=True)
class Caught:
    """A cheat that the policy refuses or shows to a person, with what the policy looks at."""

    case: Case
    changes: list[Change]
    rules: Rules
    paths: tuple[str, ...]

    def review(self) -> Decision:
        """What the policy says of it now."""
        return review_changes(self.changes, self.rules, by_person=self.case.by_person, existing=self.paths)

    def is_caught(self) -> bool:
        """Whether it is still refused, or still shown."""
        found = self.review().findings
        worst = {Severity.REFUSE} if self.case.expect == "refused" else {Severity.REFUSE, Severity.REVIEW}
        return any(finding.severity in worst for finding in found)


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> list[Caught]:
    """Every cheat that is the policy's matter: first one for each rule that only that rule sees, so that one is soon found."""
    victim = Victim(tmp_path_factory.mktemp("victim"))
    found = [
        Caught(case, victim.changes(case), victim.rules(case), tuple(victim.paths()))
        for case in cases(CHEATS)
        if case.expect in ("refused", "needs_person") and not case.slow
    ]
    seen: Counter[str] = Counter()
    order = {}
    for each in sorted(found, key=lambda each: len({finding.rule for finding in each.review().findings})):
        seen[each.case.rule] += 1
        order[each.case.name] = seen[each.case.rule]
    return sorted(found, key=lambda each: order[each.case.name])


def test_with_every_rule_each_of_them_is_caught(caught: list[Caught]) -> None:
    """The cheats that the rules are tried on are caught, each by the rule that its folder names."""
    missed = [
        each.case.name for each in caught if each.case.rule not in {f.rule for f in each.review().findings}
    ]
    assert missed == []


TABLES: dict[str, tuple[object, ...]] = {"RULES": RULES, "PAIR_RULES": PAIR_RULES, "TREE_RULES": TREE_RULES}


def _name(rule: object) -> str:
    return str(getattr(getattr(rule, "check", rule), "__name__", rule))


@pytest.mark.parametrize(
    ("table", "number"),
    [(table, number) for table, rules in TABLES.items() for number in range(len(rules))],
    ids=[_name(rule) for rules in TABLES.values() for rule in rules],
)
def test_without_a_rule_some_cheat_is_missed(
    table: str, number: int, caught: list[Caught], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule whose absence nobody would notice is a dead rule, or its cheat is not in the suite."""
    rules = TABLES[table]
    monkeypatch.setattr(edits, table, rules[:number] + rules[number + 1 :])
    assert any(not each.is_caught() for each in caught)
