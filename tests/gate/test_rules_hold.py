"""What the rules about code promise of any wording: names that are given anew, ways round, texts that are no code."""

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.decision import Decision
from policies.edits import Blob, Change, review_changes
from policies.load import load_rules

RULES = load_rules()
PATH = "bot/live/odd/feature.py"
NAMES = st.from_regex(r"[a-z]{2,8}_", fullmatch=True)
PARTS = st.sampled_from(
    [
        *(
            "import os",
            "class A:",
            "def f():",
            "    return",
            "x = 1",
            "(",
            ")",
            "[",
            '"',
            "'",
            "\\",
            "\n",
            "    ",
        ),
        *(
            "lambda: 0",
            "__eq__",
            "f'{x!r:>{1}}'",
            "match x:",
            "    case _:",
            "@",
            "async ",
            "yield",
            "\u200b",
            "\0",
        ),
    ]
)


def _review(text: str) -> Decision:
    data = text.encode("utf-8", "surrogatepass")
    return review_changes([Change(PATH, None, Blob("100644", len(data), data))], RULES)


@settings(max_examples=60)
@given(st.sampled_from([name for name in RULES.imports.forbidden if "." in name]), NAMES)
def test_what_is_forbidden_is_so_under_any_name_and_by_any_way(module: str, name: str) -> None:
    """A forbidden name is refused whether it is imported, renamed or reached by way of what holds it."""
    holder, _, inner = module.rpartition(".")
    for text in (
        f"from {holder} import {inner}\n",
        f"from {holder} import {inner} as {name}\n",
        f"import {holder} as {name}\n\n\ndef answer() -> object:\n    return {name}.{inner}\n",
    ):
        assert not _review(text).allowed, text


@settings(max_examples=40)
@given(
    st.lists(NAMES, min_size=1, max_size=4, unique=True),
    st.sampled_from(["{}.append(1)", "list.append({}, 1)"]),
)
def test_a_counter_is_seen_under_any_name(names: list[str], change: str) -> None:
    """What is kept from one answer to the next is shown to a person, however often it was given another name."""
    steps = "".join(f"    {name} = {before}\n" for before, name in zip(["KEPT", *names], names, strict=False))
    text = f"KEPT: list[int] = []\n\n\ndef answer() -> None:\n{steps}    {change.format(names[-1])}\n"
    assert "keeps_state" in {finding.rule for finding in _review(text).findings}


@settings(max_examples=80)
@given(st.lists(st.one_of(PARTS, st.text(max_size=4)), max_size=12))
def test_no_text_breaks_a_rule(parts: list[str]) -> None:
    """Whatever stands in a file, the rules come to a decision."""
    assert _review("\n".join(parts)) == _review("\n".join(parts))
