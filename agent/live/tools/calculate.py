"""`calculate` works out an expression, exactly where it can."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from agent.tool import Context, ToolRefused, tool

LONGEST = 300
DEEPEST = 40
LARGEST_BITS = 4096
HIGHEST_FACTORIAL = 500
SHOWN_DIGITS = 15
TOKEN = re.compile(
    r"\s*(?:([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,4})?|\.[0-9]+(?:[eE][+-]?[0-9]{1,4})?)|([a-z][a-z0-9]*)|(\*\*|//|[-+*/%^()!,]))"
)
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}

Number = Fraction | float


def _root(value: Number) -> Number:
    if isinstance(value, Fraction) and value >= 0:
        above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if above * above == value.numerator and below * below == value.denominator:
            return Fraction(above, below)
    return math.sqrt(value)


def _round(value: Number, digits: Number = Fraction(0)) -> Number:
    if digits != int(digits) or not -100 <= digits <= 100:
        raise ToolRefused("round takes a whole number of digits, up to 100")
    return round(Fraction(value), int(digits))


def _floor(value: Number) -> Number:
    return Fraction(math.floor(value))


def _ceil(value: Number) -> Number:
    return Fraction(math.ceil(value))


def _whole(value: Number, what: str) -> int:
    if value != int(value):
        raise ToolRefused(f"{what} takes whole numbers")
    return int(value)


def _choose(count: Number, taken: Number) -> Number:
    of, few = _whole(count, "comb"), _whole(taken, "comb")
    if not 0 <= few <= of <= 2 * HIGHEST_FACTORIAL:
        raise ToolRefused(
            f"comb takes whole numbers up to {2 * HIGHEST_FACTORIAL}, the first not below the second"
        )
    return Fraction(math.comb(of, few))


def _common(first: Number, second: Number) -> Number:
    return Fraction(math.gcd(_whole(first, "gcd"), _whole(second, "gcd")))


def _factorial(value: Number) -> Number:
    count = _whole(value, "a factorial")
    if not 0 <= count <= HIGHEST_FACTORIAL:
        raise ToolRefused(f"a factorial can be worked out of 0 to {HIGHEST_FACTORIAL}")
    return Fraction(math.factorial(count))


def _logarithm(value: Number, base: Number = math.e) -> Number:
    if base == 2:
        return math.log2(value)
    if base == 10:
        return math.log10(value)
    return math.log(value) if base == math.e else math.log(value, base)


# Each with how many numbers it takes, at least and at most.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Number]]] = {
    "sqrt": (1, 1, _root),
    "abs": (1, 1, abs),
    "round": (1, 2, _round),
    "floor": (1, 1, _floor),
    "ceil": (1, 1, _ceil),
    "min": (1, 50, min),
    "max": (1, 50, max),
    "exp": (1, 1, math.exp),
    "ln": (1, 1, math.log),
    "log": (1, 2, _logarithm),
    "log2": (1, 1, math.log2),
    "log10": (1, 1, math.log10),
    "sin": (1, 1, math.sin),
    "cos": (1, 1, math.cos),
    "tan": (1, 1, math.tan),
    "asin": (1, 1, math.asin),
    "acos": (1, 1, math.acos),
    "atan": (1, 1, math.atan),
    "degrees": (1, 1, math.degrees),
    "radians": (1, 1, math.radians),
    "factorial": (1, 1, _factorial),
    "comb": (2, 2, _choose),
    "gcd": (2, 2, _common),
}


class Expression:
    """One expression, read from left to right; each method reads what binds tighter than the one before."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text)
        self.at = 0
        self.depth = 0

    def value(self) -> Number:
        """What the whole expression comes to."""
        result = self.sum()
        if self.at < len(self.tokens):
            raise ToolRefused(
                f"there is something wrong at {self.tokens[self.at]!r}; write it as 2 * (3 + 4)"
            )
        return result

    def take(self, *wanted: str) -> str:
        """The next token if it is one of those, else nothing."""
        if self.at < len(self.tokens) and self.tokens[self.at] in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return ""

    def sum(self) -> Number:
        """Sums and differences."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ToolRefused(f"the parentheses are more than {DEEPEST} deep; write it plainer")
        total = self.product()
        while sign := self.take("+", "-"):
            other = self.product()
            total = bounded(total + other if sign == "+" else total - other)
        self.depth -= 1
        return total

    def product(self) -> Number:
        """Products, quotients and remainders."""
        total = self.signed()
        while sign := self.take("*", "/", "//", "%", "mod"):
            other = self.signed()
            if sign != "*" and other == 0:
                raise ToolRefused("nothing can be divided by zero")
            if sign == "*":
                total = bounded(total * other)
            elif sign == "/":
                total = bounded(total / other)
            elif sign == "//":
                total = bounded(Fraction(math.floor(total / other)))
            else:
                total = bounded(total % other)
        return total

    def signed(self) -> Number:
        """A power with signs before it."""
        minus = False
        while sign := self.take("+", "-"):
            minus ^= sign == "-"
        value = self.power()
        return -value if minus else value

    def power(self) -> Number:
        """A power; several are taken from the right."""
        base = self.single()
        if not self.take("**", "^"):
            return base
        self.depth += 1
        if self.depth > DEEPEST:
            raise ToolRefused(f"the powers are more than {DEEPEST} deep; write it plainer")
        exponent = self.signed()
        self.depth -= 1
        return raised(base, exponent)

    def single(self) -> Number:
        """A number, a constant, a function of something, or what stands in parentheses."""
        if self.at >= len(self.tokens):
            raise ToolRefused("the expression ends where a number should be")
        part = self.tokens[self.at]
        self.at += 1
        if part == "(":
            value = self.sum()
            self.close()
        elif part[0].isdigit() or part[0] == ".":
            value = bounded(Fraction(part))
        elif part in FUNCTIONS and self.take("("):
            value = self.applied(part)
        elif part in CONSTANTS:
            value = CONSTANTS[part]
        elif part[0].isalpha():
            raise ToolRefused(f"{part} is not known; there are {', '.join([*CONSTANTS, *FUNCTIONS])}")
        else:
            raise ToolRefused(f"there is something wrong at {part!r}; write it as 2 * (3 + 4)")
        while self.take("!"):
            value = _factorial(value)
        return value

    def applied(self, name: str) -> Number:
        """A function of what stands in its parentheses."""
        given = [self.sum()]
        while self.take(","):
            given.append(self.sum())
        self.close()
        least, most, function = FUNCTIONS[name]
        if not least <= len(given) <= most:
            raise ToolRefused(f"{name} does not take {len(given)} numbers")
        return bounded(function(*given))

    def close(self) -> None:
        """A parenthesis that must be there."""
        if not self.take(")"):
            raise ToolRefused("a parenthesis is not closed")


def tokens_of(text: str) -> list[str]:
    """Numbers, names and signs of an expression."""
    text = text.lower().replace("×", "*").replace("·", "*").replace("÷", "/").replace("−", "-").strip()
    tokens: list[str] = []
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise ToolRefused(f"{text[at : at + 20]!r} is no number, name or sign; write it as 2 * (3 + 4)")
        tokens.append(found[1] or found[2] or found[3])
        at = found.end()
    if not tokens:
        raise ToolRefused("there is nothing to work out; send an expression such as 2 * (3 + 4)")
    return tokens


def bounded(value: Number) -> Number:
    """A number that is not too large to go on with; what is exact but very long is rounded."""
    if isinstance(value, Fraction):
        if value.numerator.bit_length() > LARGEST_BITS:
            raise ToolRefused("a number on the way is too large")
        if value.denominator.bit_length() > LARGEST_BITS:
            return float(value)
    elif not math.isfinite(value):
        raise ToolRefused("a number on the way is too large")
    return value


def raised(base: Number, exponent: Number) -> Number:
    """A power, worked out only after its size is known."""
    if base == 0 and exponent < 0:
        raise ToolRefused("nothing can be divided by zero")
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        longer = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
        if base in (0, 1, -1) or (longer - 1) * abs(exponent) <= LARGEST_BITS:
            result = base ** int(exponent)
            return bounded(result)
        if abs(base) > 1 and exponent > 0:
            raise ToolRefused("a number on the way is too large")
    result = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise ToolRefused("a root of a negative number is no real number")
    if not result and base:
        raise ToolRefused("a number on the way is too small")
    return bounded(result)


def shown(value: Number) -> str:
    """A number as people write it; what cannot be written out is rounded, and says so."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        digits = 0
        while digits < SHOWN_DIGITS and (value * 10**digits).denominator != 1:
            digits += 1
        if (value * 10**digits).denominator == 1:
            whole, rest = divmod(abs(value.numerator) * 10**digits // value.denominator, 10**digits)
            return f"{'-' if value < 0 else ''}{whole}.{rest:0{digits}d}"
        exact, value = value, float(value)
        if exact and not value:
            raise ToolRefused("the result is too small to be written out")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.{SHOWN_DIGITS}g}"


@tool(
    examples=["calculate(expression='2 * (3 + 4) ^ 2')", "calculate(expression='sqrt(2) * sin(pi / 3)')"],
    cache_seconds=3600,
)
async def calculate(
    _context: Context,
    expression: Annotated[
        str,
        "numbers, + - * / // % ^ ! and functions as sqrt, ln, sin, round, comb",
        Field(max_length=LONGEST),
    ],
) -> str:
    """Work out an arithmetic expression. Use it for every calculation instead of working it out by yourself."""
    if len(expression) > LONGEST:
        raise ToolRefused(f"an expression has at most {LONGEST} characters; work it out in parts")
    try:
        return shown(Expression(expression).value())
    except (OverflowError, ValueError, ZeroDivisionError):
        raise ToolRefused("that has no value, or one that is too large") from None
