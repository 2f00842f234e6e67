"""What may be spent, by whom, in a day, and how often somebody may ask in a minute. Pure: the clock is handed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from policies.decision import Decision
from policies.load import Quota

DAY = 86_400.0
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and US dollars that were spent, or are set aside for what is under way."""

    tokens: int = 0
    dollars: float = 0.0

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.tokens + other.tokens, self.dollars + other.dollars)

    def minus(self, other: "Spent") -> "Spent":
        """What is left of this without the other; never less than nothing."""
        return Spent(max(0, self.tokens - other.tokens), max(0.0, self.dollars - other.dollars))


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that would be passed; `again` is when it works again, in seconds since the epoch."""

    whose: str
    why: str
    again: float

    def told(self, now: float, *, marked: bool = False) -> str:
        """One kind sentence for people; `marked`: with the moment as Discord shows it to each in their own time."""
        if marked and self.again > now:
            return f"{self.why} It works again <t:{ceil(self.again)}:R>."
        when = _in_words(self.again - now) if self.again > now else "a moment"
        return f"{self.why} It works again in {when}."


def day_of(now: float) -> int:
    """The number of the day in UTC; budgets begin anew with each."""
    return int(now // DAY)


def community_of(conversation: str) -> str:
    """The community that a place belongs to, as `surface:community`; empty where it stands alone.

    Args:
        conversation: The place, as `surface:community/place` or `surface:place`.
    """
    community, inside, _ = conversation.partition("/")
    return community if inside else ""


def over_budget(
    wanted: Spent,
    spent: Mapping[str, Spent],
    quotas: Mapping[str, Quota],
    now: float,
    held: Mapping[str, Spent] | None = None,
) -> Over | None:
    """A budget that something more would pass; None where there is room in all.

    One that is used up comes before one that what is under way fills, since the latter is given back soon.

    Args:
        wanted: What it is reckoned to cost.
        spent: By whose budget it is (`you`, `this place`, `this server`, `all of us`): spent today.
        quotas: The budgets, by the same names.
        now: Seconds since the epoch.
        held: By the same names: set aside for what is under way.
    """
    tomorrow, waits = (day_of(now) + 1) * DAY, None
    for whose, quota in quotas.items():
        after = spent.get(whose, Spent()).plus(wanted)
        if _passes(after, quota):
            return Over(whose, f"Sorry, today's budget for language models is used up for {whose}.", tomorrow)
        if waits is None and _passes(after.plus((held or {}).get(whose, Spent())), quota):
            why = f"Sorry, what is under way may need the rest of today's budget for {whose}."
            waits = Over(whose, why, now)
    return waits


def nearly_spent(budgets: Sequence[tuple[Spent, Quota]], share: float) -> bool:
    """Whether that share of the dollars of any budget is spent."""
    return any(spent.dollars >= share * quota.dollars > 0 for spent, quota in budgets)


def too_often(asked: Sequence[float], most: int, now: float, whose: str = "you") -> Over | None:
    """Whether somebody asks, or something is asked, too often.

    Args:
        asked: When they asked before, oldest first, in seconds since the epoch.
        most: So many times in any minute.
        now: The moment of the question at hand.
        whose: `you`, or what is asked.
    """
    recent = [at for at in asked if at > now - MINUTE]
    if len(recent) < most:
        return None
    why = (
        "That is a little fast for me, sorry."
        if whose == "you"
        else f"{whose} has been asked often enough now."
    )
    return Over(whose, why, recent[len(recent) - most] + MINUTE)


def may_consult(agent: str, asked: Sequence[str], depth: int) -> Decision:
    """Whether one more agent may be asked.

    Args:
        agent: The one to ask.
        asked: Those who asked each other before, in order.
        depth: So many may stand in a row.
    """
    row = " asked ".join(["the chat", *asked])
    if agent in asked:
        return Decision.no("agent_circle", f"{agent} is asked already ({row}); answer with what you know.")
    if len(asked) >= depth:
        return Decision.no(
            "agent_depth", f"Agents ask each other {depth} deep at most ({row}); answer yourself."
        )
    return Decision()


def _passes(spent: Spent, quota: Quota) -> bool:
    return spent.tokens > quota.tokens or spent.dollars > quota.dollars


def _in_words(seconds: float) -> str:
    whole = max(1, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole} s"
