"""`/convert 5 miles to km` converts lengths, weights and temperatures."""

import re

from bot.feature import Registry, Turn

USAGE = "Say it like /convert 5 miles to km, or /convert 70 F to C."
ASKED = re.compile(r"(-?\d{1,12}(?:[.,]\d{1,9})?)\s*([^\d\s]+)\s+(?:to|in|into)\s+(\S+)")

# How many metres, or grams, one of them is.
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
OTHER_NAMES = {
    "in": "inch",
    "inches": "inch",
    "ft": "foot",
    "feet": "foot",
    "yd": "yard",
    "yards": "yard",
    "mi": "mile",
    "miles": "mile",
    "metres": "m",
    "meters": "m",
    "kilometres": "km",
    "kilometers": "km",
    "oz": "ounce",
    "ounces": "ounce",
    "lb": "pound",
    "lbs": "pound",
    "pounds": "pound",
    "grams": "g",
    "kilos": "kg",
    "celsius": "c",
    "fahrenheit": "f",
    "°c": "c",
    "°f": "f",
}


def unit(word: str) -> str:
    """The short name of a unit."""
    name = word.lower()
    if name in OTHER_NAMES:
        return OTHER_NAMES[name]
    else:
        return name


def convert(amount: float, source: str, target: str) -> float | None:
    """Convert an amount between two units by their short names; None when they do not go together."""
    for table in [LENGTHS, WEIGHTS]:
        if source in table and target in table:
            return amount * table[source] / table[target]
    if source == "c" and target == "f":
        return amount * 9 / 5 + 32
    if source == "f" and target == "c":
        return (amount - 32) * 5 / 9
    if source == target and source in ["c", "f"]:
        return amount
    return None


def _shown(number: float) -> str:
    text = f"{number:.4g}" if abs(number) < 1000 else f"{number:,.1f}"
    return text


async def answer(turn: Turn) -> str:
    """Convert what was asked for."""
    asked = ASKED.fullmatch(turn.text.strip())
    if asked is None:
        return USAGE
    amount = float(asked[1].replace(",", "."))
    source = unit(asked[2])
    target = unit(asked[3])
    result = convert(amount, source, target)
    if result is None:
        return f"I cannot convert {asked[2]} to {asked[3]}. {USAGE}"
    return f"{asked[1]} {asked[2]} = {_shown(result)} {asked[3]}"


def setup(registry: Registry) -> None:
    """Answer to /convert."""
    registry.command("convert", answer, usage="convert 5 miles to km", summary="convert units")
