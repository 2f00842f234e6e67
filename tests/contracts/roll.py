"""What is promised of dice, however the answer is worded."""

import re

from selfedit.gate.inside.contract import Call, Draw, stable


def numbers(answer: str) -> list[int]:
    """Every number that an answer shows."""
    return [int(number) for number in re.findall(r"-?\d+", re.sub(r"(?<=\d),(?=\d{3})", "", answer))]


@stable
def contract_the_total_counts_every_die_and_what_is_added(call: Call, draw: Draw) -> None:
    """Where chance is the same for every die, the total is that side so many times, and what is added."""
    count, sides, added = draw.integer(1, 20), draw.integer(2, 100), draw.integer(-99, 99)
    chance = draw.chances(1)
    answer = call("turn", f"/roll {count}d{sides}{added:+}", chance=chance)
    assert count * (int(chance[0] * sides) + 1) + added in numbers(answer)


def contract_chance_reaches_every_side(call: Call, draw: Draw) -> None:
    """A die shows the side at which chance points, from the first to the last."""
    sides = draw.integer(2, 100)
    side = draw.integer(1, sides)
    assert side in numbers(call("turn", f"/roll 1d{sides}", chance=[(side - 0.5) / sides]))


def contract_each_die_has_a_chance_of_its_own(call: Call, draw: Draw) -> None:
    """The total is what chance says die by die; a little of it may have been used for something else before."""
    count, sides = draw.integer(2, 20), draw.integer(2, 100)
    chance = draw.chances(count + 3)
    shown = numbers(call("turn", f"/roll {count}d{sides}", chance=chance))
    sides_up = [int(each * sides) + 1 for each in chance]
    assert any(sum(sides_up[first : first + count]) in shown for first in range(4))
