"""What a contract is written with. Standard library only; the judge of contracts is the one that runs it.

A contract is a function `contract_...(call, draw)` in a file below `tests/contracts/`, with its property in one
sentence as docstring. It draws values, asks the code under test, which runs in another process, and asserts on
the plain values that come back. It never imports the code that it speaks of.

    from selfedit.gate.inside.contract import Call, Draw

    def contract_two_numbers_are_added(call: Call, draw: Draw) -> None:
        \"\"\"A sum is what one number and the other make.\"\"\"
        one, other = draw.integer(-99, 99), draw.integer(-99, 99)
        assert call("app.sums:add", one, other) == one + other
"""

import random
import string
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Contract = Callable[["Call", "Draw"], None]


class Raised(Exception):
    """The code under test raised something instead of answering.

    Attributes:
        kind: The name of the exception's class.
        said: Its text.
    """

    def __init__(self, kind: str, said: str) -> None:
        super().__init__(f"{kind}: {said}")
        self.kind = kind
        self.said = said


class Call(Protocol):
    """Asks the code under test. Arguments and answers are what JSON can say; tuples and sets come as lists."""

    def __call__(self, target: str, *args: Any, **kwargs: Any) -> Any:
        """Call `package.module:function`, or a name that `tests/contracts/subject.py` offers; coroutines are awaited.

        Raises:
            Raised: The code under test raised.
        """

    def raises(self, target: str, *args: Any, **kwargs: Any) -> Raised | None:
        """The same where an exception is what is asked for; None when there was an answer."""


def stable(contract: Contract) -> Contract:
    """Mark a contract whose calls must be answered in the very same way however often they are made."""
    vars(contract)["stable"] = True
    return contract


class Draw:
    """Values at random, and the edges of what is possible more often than chance would have it."""

    def __init__(self, stream: str, run: int = 0) -> None:
        """Draw from a stream: the same name gives the same values.

        Args:
            stream: Its name.
            run: Which run of a contract this is, from 0.
        """
        self._run = run
        self._random = random.Random(stream)  # noqa: S311 - values to try out, no secrets
        self.drawn: list[object] = []
        """What has been drawn so far."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both bounds included."""
        edges = [low, high, min(low + 1, high), max(high - 1, low)]
        return self._keep(
            self._random.choice(edges) if self._now_and_then() else self._random.randint(low, high)
        )

    def number(self, low: float, high: float) -> float:
        """A number, both bounds included."""
        edge = self._random.choice([low, high])
        return self._keep(edge if self._now_and_then() else self._random.uniform(low, high))

    def chances(self, many: int) -> list[float]:
        """Numbers in [0, 1), for code that is handed its chance; now and then all at one edge."""
        edge = self._random.choice([0.0, 1.0 - 2.0**-53])
        drawn = [edge] * many if self._now_and_then() else [self._random.random() for _ in range(many)]
        return self._keep(drawn)

    def choice(self, options: Sequence[T]) -> T:
        """One of several things."""
        return self._keep(self._random.choice(options))

    def in_turn(self, options: Sequence[T]) -> T:
        """The next of several things at each run, so that every one has its turn."""
        return self._keep(options[self._run % len(options)])

    def some(self, options: Sequence[T], shortest: int, longest: int) -> list[T]:
        """Several different ones of several things, in any order."""
        return self._keep(self._random.sample(options, self._random.randint(shortest, longest)))

    def word(self, shortest: int = 1, longest: int = 8, letters: str = string.ascii_lowercase) -> str:
        """A word of the given letters."""
        many = self._random.randint(shortest, longest)
        return self._keep("".join(self._random.choices(letters, k=many)))

    def text(self, longest: int = 80, pieces: Sequence[str] = ()) -> str:
        """Anything that can be printed: plain words, signs, other scripts, emoji; and pieces that mean something."""
        kinds: list[Callable[[], str]] = [
            lambda: self._random.choice(string.ascii_letters + "   "),
            lambda: self._random.choice(string.printable[:95]),
            self._letter,
        ]
        if pieces:
            kinds.append(lambda: self._random.choice(pieces))
        used = self._random.sample(kinds, self._random.randint(1, len(kinds)))
        many = self._random.choice([0, 1, 2, longest, self._random.randint(0, longest)])
        return self._keep("".join(self._random.choice(used)() for _ in range(many))[:longest])

    def _letter(self) -> str:
        first, last = self._random.choice(_SCRIPTS)
        letter = chr(self._random.randint(first, last))
        return letter if letter.isprintable() else " "

    def _now_and_then(self) -> bool:
        return self._random.random() < 0.25  # noqa: PLR2004 - any small share will do

    def _keep(self, value: T) -> T:
        self.drawn.append(value)
        return value


_SCRIPTS = [
    *(
        (0xA0, 0x24F),
        (0x300, 0x36F),
        (0x370, 0x3FF),
        (0x400, 0x4FF),
        (0x5D0, 0x5EA),
        (0x620, 0x64A),
        (0x660, 0x669),
    ),
    *(
        (0x900, 0x97F),
        (0x1E00, 0x1EFF),
        (0x2000, 0x206F),
        (0x2070, 0x209F),
        (0x3040, 0x30FF),
        (0x4E00, 0x9FA5),
    ),
    *((0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF)),
]
"""First and last character of ranges: accents, other alphabets and digits, marks, wide forms, emoji."""
