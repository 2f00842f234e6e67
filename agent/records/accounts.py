"""Who has spent what today: set aside before a model is asked, settled when its price is known."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.records.turns import Turns
from policies.access import level_of
from policies.limits import MINUTE, Over, Spent, community_of, day_of, over_budget, too_often
from policies.load import Quota, Rules

ALL = "all"
_MOST_ASKERS = 10_000
_LEAST = Spent(1)
"""No question comes to less."""
_DAYS = 3
"""So many are remembered, those that came last."""


@dataclass(frozen=True, slots=True)
class Purse:
    """The budgets that one person's question in one place is paid from; names as people read them."""

    budgets: Mapping[str, str]
    """Under which name each is booked."""
    quotas: Mapping[str, Quota]


class Accounts:
    """Today's accounts. With a file they outlive the process."""

    def __init__(
        self, rules: Rules, turns: Turns | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._rules = rules
        self._turns = turns
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}
        self._day = day_of(clock())
        self._days: dict[int, dict[str, Spent]] = {}
        self._spent = self._on(self._day)
        self._held: dict[str, Spent] = {}

    def ask(self, caller: str) -> Over | None:
        """Count a question; or why it comes too soon. Maintainers, the console among them, may ask at any pace."""
        now = self._clock()
        if level_of(caller, self._rules) == "maintainer":
            return None
        asked = self._asked.setdefault(caller, deque())
        while asked and asked[0] <= now - MINUTE:
            asked.popleft()
        if (over := too_often(asked, self._rules.limits.asks_a_minute, now)) is not None:
            return over
        asked.append(now)
        if len(self._asked) > _MOST_ASKERS:
            self._asked = {
                who: times for who, times in self._asked.items() if times and times[-1] > now - MINUTE
            }
        return None

    def over(self, caller: str, conversation: str) -> Over | None:
        """Why somebody's next question in a place would be refused, as far as that is known; nothing is counted."""
        now = self._clock()
        limits = self._rules.limits
        if level_of(caller, self._rules) != "maintainer":
            asked = self._asked.get(caller, ())
            if (over := too_often(asked, limits.asks_a_minute, now)) is not None:
                return over
        purse = self.purse(caller, conversation)
        self._turn_the_page()
        spent = {name: self._spent.get(booked, Spent()) for name, booked in purse.budgets.items()}
        return over_budget(_LEAST, spent, purse.quotas, now)

    def purse(self, caller: str, conversation: str) -> Purse:
        """What somebody pays from, by who they are and where they ask."""
        limits = self._rules.limits
        own: Quota = getattr(limits, level_of(caller, self._rules))
        rows = {"you": (f"user {caller}", own), "this place": (f"place {conversation}", limits.place)}
        if community := community_of(conversation):
            rows["this server"] = (f"community {community}", limits.community)
        for name, role in limits.roles.items():
            if caller not in role.members:
                continue
            own = own if role.each is None else _more(own, role.each)
            if role.together is not None:
                rows[f"all {name}"] = (f"role {name}", role.together)
        rows["you"] = (f"user {caller}", own)
        rows["all of us together"] = (ALL, limits.all)
        return Purse(
            {name: booked for name, (booked, _) in rows.items()},
            {name: quota for name, (_, quota) in rows.items()},
        )

    def reserve(self, purse: Purse, wanted: Spent) -> Over | None:
        """Set aside what a question is reckoned to cost, in every budget or in none."""
        self._turn_the_page()
        spent = {name: self._spent.get(booked, Spent()) for name, booked in purse.budgets.items()}
        held = {name: self._held.get(booked, Spent()) for name, booked in purse.budgets.items()}
        if (over := over_budget(wanted, spent, purse.quotas, self._clock(), held)) is not None:
            return over
        for booked in purse.budgets.values():
            self._held[booked] = self._held.get(booked, Spent()).plus(wanted)
        if self._turns is not None:
            self._turns.hold(self._day, self._held_of(purse))
        return None

    def settle(self, purse: Purse, wanted: Spent, actual: Spent) -> None:
        """Give back what was set aside and book what it came to."""
        self._turn_the_page()
        for booked in purse.budgets.values():
            left = self._held.pop(booked, Spent()).minus(wanted)
            if left != Spent():
                self._held[booked] = left
            self._spent[booked] = self._spent.get(booked, Spent()).plus(actual)
        if self._turns is not None:
            self._turns.settle(self._day, self._held_of(purse), actual)

    def today(self, purse: Purse) -> Sequence[tuple[str, Spent, Quota]]:
        """Each budget: its name, what is spent or set aside, and what there is."""
        self._turn_the_page()
        return [(name, self._of(booked), purse.quotas[name]) for name, booked in purse.budgets.items()]

    def _held_of(self, purse: Purse) -> dict[str, Spent]:
        return {booked: self._held.get(booked, Spent()) for booked in purse.budgets.values()}

    def _of(self, booked: str) -> Spent:
        return self._spent.get(booked, Spent()).plus(self._held.get(booked, Spent()))

    def _turn_the_page(self) -> None:
        if (day := day_of(self._clock())) != self._day:
            self._day, self._spent = day, self._on(day)
            if self._turns is not None:
                self._turns.begin_day(self._clock())

    def _on(self, day: int) -> dict[str, Spent]:
        """What was spent on a day. Clocks are set back at times, so that one may come a second time."""
        if day not in self._days:
            self._days[day] = self._turns.spent(day) if self._turns is not None else {}
            for old in list(self._days)[:-_DAYS]:
                del self._days[old]
        return self._days[day]


def _more(one: Quota, other: Quota) -> Quota:
    return Quota(tokens=max(one.tokens, other.tokens), dollars=max(one.dollars, other.dollars))
