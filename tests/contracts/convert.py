"""What is promised of converting units, however the answer is worded and rounded."""

import re

from selfedit.gate.inside.contract import Call, Draw, stable

LENGTHS = {
    "mm": 0.001,
    "cm": 0.01,
    "m": 1.0,
    "km": 1000.0,
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
    "mile": 1609.344,
}
WEIGHTS = {
    "mg": 0.001,
    "g": 1.0,
    "kg": 1000.0,
    "ounce": 28.349523125,
    "pound": 453.59237,
    "stone": 6350.29318,
}

UNITS = [*LENGTHS, *WEIGHTS]


def nearest(answer: str, wanted: float, asked: str) -> float:
    """Of the numbers that an answer shows beside the one that was asked for, the one that comes closest."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", answer)
    plain = re.sub(rf"(?<![\d.-]){re.escape(asked)}(?!\d|\.\d)", "", plain, count=1)
    found = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", plain)]
    assert found, "no number is in the answer"
    return min(found, key=lambda number: abs(number - wanted))


def agrees(found: float, wanted: float) -> bool:
    """Whether a number is the other one, rounded."""
    return abs(found - wanted) <= max(0.06, 0.002 * abs(wanted))


def near(source: str) -> dict[str, float]:
    """What a unit is in the units that go with it, where that is neither very much nor very little."""
    table = LENGTHS if source in LENGTHS else WEIGHTS
    factors = {target: table[source] / size for target, size in table.items() if target != source}
    return {target: factor for target, factor in factors.items() if 1e-3 <= factor <= 1e5}


@stable
def contract_a_unit_is_what_it_is(call: Call, draw: Draw) -> None:
    """An amount in another unit is what people know it to be."""
    source, amount = draw.in_turn(UNITS), draw.integer(1000, 9000)
    for target, factor in near(source).items():
        answer = call("turn", f"/convert {amount} {source} to {target}")
        assert agrees(nearest(answer, amount * factor, str(amount)), amount * factor)


def contract_there_and_back_is_where_one_began(call: Call, draw: Draw) -> None:
    """Converting to another unit and back gives the same amount, but for what was rounded."""
    source, amount = draw.in_turn(UNITS), draw.integer(1000, 9000)
    target, factor = draw.choice(sorted(near(source).items()))
    if amount * factor >= 10:  # with less, rounding takes too much away
        there = nearest(call("turn", f"/convert {amount} {source} to {target}"), amount * factor, str(amount))
        back = nearest(call("turn", f"/convert {there:.6f} {target} to {source}"), amount, f"{there:.6f}")
        assert abs(back - amount) <= 0.01 * amount


def contract_more_stays_more(call: Call, draw: Draw) -> None:
    """A larger amount is a larger one in any other unit, too."""
    source = draw.in_turn(UNITS)
    target, factor = draw.choice(sorted(near(source).items()))
    less, more = draw.integer(1000, 4000), draw.integer(5000, 9000)
    found = [
        nearest(call("turn", f"/convert {amount} {source} to {target}"), amount * factor, str(amount))
        for amount in (less, more)
    ]
    assert found[0] < found[1]


def contract_heat_is_heat(call: Call, draw: Draw) -> None:
    """Water freezes at 32 F and boils at 212 F, and it is even in between and beyond."""
    heat = draw.integer(-150, 900)
    answers = [call("turn", f"/convert {heat} {ask}") for ask in ("C to F", "F to C")]
    for answer, wanted in zip(answers, (heat * 1.8 + 32, (heat - 32) / 1.8), strict=True):
        assert agrees(nearest(answer, wanted, str(heat)), wanted)


def contract_kinds_do_not_mix(call: Call, draw: Draw) -> None:
    """A length is no weight and no heat: however much is asked for, it makes no difference to the answer."""
    one, other = draw.some([sorted(LENGTHS), sorted(WEIGHTS), ["C", "F"]], 2, 2)
    question = f"{draw.choice(one)} to {draw.choice(other)}"
    amounts = (str(draw.integer(1001, 1999)), str(draw.integer(2001, 2999)))
    answers = {call("turn", f"/convert {amount} {question}").replace(amount, "") for amount in amounts}
    assert len(answers) == 1
