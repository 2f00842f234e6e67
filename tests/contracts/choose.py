"""What is promised of choosing, however the answer is worded."""

import itertools

from selfedit.gate.inside.contract import Call, Draw, stable

LETTERS = "bcdfghjklmnpqstvwxz"
"""No `or`, and hardly a word of an answer, can be made of these."""


def options(draw: Draw) -> list[str]:
    """Different things, in any order."""
    return [f"{draw.word(3, 6, LETTERS)}{number}q" for number in range(draw.integer(2, 30))]


@stable
def contract_one_of_the_options_is_picked(call: Call, draw: Draw) -> None:
    """The answer names one of the options, however they are set apart, and never two of them as one."""
    given = options(draw)
    between = [draw.choice([", ", " or ", " | ", ","]) for _ in given[1:]]
    line = "".join(itertools.chain(*itertools.zip_longest(given, between, fillvalue="")))
    answer = call("turn", f"/choose {line}", chance=draw.chances(1))
    assert any(option in answer for option in given)
    pairs = zip(given, between, given[1:], strict=False)
    assert not any(f"{one}{apart}{other}" in answer for one, apart, other in pairs if apart != ", ")


def contract_chance_reaches_every_option(call: Call, draw: Draw) -> None:
    """Every option is picked where chance points at its share, and two shares give two answers."""
    given = options(draw)
    first, second = draw.some(range(len(given)), 2, 2)
    answers = [
        call("turn", f"/choose {', '.join(given)}", chance=[(place + 0.5) / len(given)])
        for place in (first, second)
    ]
    assert given[first] in answers[0]
    assert given[second] in answers[1]
    assert answers[0] != answers[1]
