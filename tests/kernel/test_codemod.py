"""The contract of applying edits: all or nothing, never an exception, the quick way is the long way."""

import ast
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfedit.editing.codemod import Applied, Rejection, apply_edits, edit_text
from selfedit.editing.edits import Edit, EditList, edits_from
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.glimpse import edited as glimpsed
from selfedit.editing.syntax.outline import Definition, named
from selfedit.editing.syntax.text import No
from tests.fakes.edited import refused

A, B = "bot/live/a.py", "bot/live/b.py"


def test_edits_see_what_the_ones_before_made() -> None:
    """A list is applied in order: a function can be added, documented, decorated and renamed in one go."""
    edits = edits_from(
        [
            {"op": "create_module", "path": B, "source": "from bot.live.a import f\n"},
            {"op": "add_function", "path": A, "source": "def f(): return 1"},
            {"op": "set_docstring", "path": A, "target": "f", "text": "Say."},
            {"op": "add_decorator", "path": A, "target": "f", "decorator": "cache"},
            {"op": "add_import", "path": A, "statement": "from functools import cache"},
            {"op": "rename_symbol", "path": A, "target": "f", "name": "g"},
        ]
    )
    assert apply_edits({A: "x = 1\n"}, edits) == Applied(
        {
            A: 'from functools import cache\n\nx = 1\n\n\n@cache\ndef g():\n    """Say."""\n    return 1\n',
            B: "from bot.live.a import g\n",
        }
    )


def test_one_edit_that_does_not_apply_stops_all() -> None:
    """A rejection says which edit of the list it was, and nothing of the others comes out."""
    files = {A: "x = 1\n", B: "y = 1\n"}
    edits = edits_from(
        [
            {"op": "set_constant", "path": A, "target": "x", "value": "2"},
            {"op": "set_constant", "path": B, "target": "z", "value": "2"},
        ]
    )
    outcome = apply_edits(files, edits)
    assert isinstance(outcome, Rejection)
    assert (outcome.index, outcome.op, outcome.path, outcome.rule) == (1, "set_constant", B, "unknown_target")
    assert files == {A: "x = 1\n", B: "y = 1\n"}


def test_only_files_that_differ_come_out() -> None:
    """A file that two edits change and change back is not among the changed ones."""
    there = {"op": "set_constant", "path": A, "target": "x", "value": "2"}
    edits = edits_from([there, there | {"value": "1"}])
    assert apply_edits({A: "x = 1\n"}, edits) == Applied({})


@pytest.mark.parametrize(
    "path",
    [
        "../a.py",
        "/etc/a.py",
        "a\\b.py",
        "a//b.py",
        "./a.py",
        ".git/hooks/a.py",
        "a\0.py",
        "a/../b.py",
        "é.py",
    ],
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    """No edit reaches outside of the tree, or git's own files."""
    assert refused("", "write_text", path=path, text="x").rule == "path_syntax"


def test_an_unknown_path_is_answered_with_near_ones() -> None:
    """A mistyped path is refused with the paths that may have been meant."""
    edits = edits_from([{"op": "delete_symbol", "path": "bot/live/aa.py", "target": "x"}])
    outcome = apply_edits({A: "x = 1\n"}, edits)
    assert isinstance(outcome, Rejection)
    assert (outcome.rule, outcome.suggestions) == ("unknown_path", (A,))


def test_an_edit_that_changes_nothing_is_refused() -> None:
    """Replacing a function by itself is no edit."""
    assert (
        refused("def f(): pass\n", "replace_function", target="f", source="def f(): pass").rule == "no_change"
    )


def test_a_file_that_does_not_parse_is_refused() -> None:
    """A broken file cannot be edited, only replaced by people."""
    assert refused("def f(:\n", "delete_symbol", target="f").rule == "unparsable_file"


def test_a_file_that_names_another_encoding_is_refused() -> None:
    """A coding line that would make Python read other characters is not written."""
    assert (
        refused("# coding: utf-7\nx = 1\n", "set_constant", target="x", value="'+AGE-'").rule
        == "wrong_encoding"
    )


words = [
    "def f(",
    "def f",
    "):",
    "    ",
    "class A:",
    "x = 1",
    "pass",
    "#",
    "@",
    "f",
    "A.f",
    "(",
    ")",
    "import a",
    "from a import b",
    "return",
    "=",
    ";",
]
pieces = st.sampled_from([*words, *"\0\f\r\n\t\ufeff\u2028é\\'", '"""', "\r\n"])
junk = st.lists(pieces, max_size=12).map("".join)
fields = {"target": st.sampled_from(["f", "A", "A.f", "x", "f#2", "", "f.<locals>.g", "#", "a b"]) | junk}
fields |= dict.fromkeys(
    ("source", "value", "text", "parameter", "statement", "decorator", "into", "after", "name"), junk
)
edits = st.sampled_from(sorted(EditList.json_schema()["items"]["discriminator"]["mapping"]))


@st.composite
def any_edit(draw: st.DrawFn) -> tuple[Edit, ...] | None:
    """An edit of any kind with fields of any content; None where pydantic refuses it already."""
    op = draw(edits)
    wanted = next(one for one in Edit.__args__[0].__args__ if op in str(one.model_fields["op"].annotation))
    data = {name: draw(fields[name]) for name in wanted.model_fields if name in fields}
    try:
        return edits_from([{"op": op, "path": A, **data}])
    except ValueError:
        return None


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.sampled_from(["def f(): pass\n", "class A:\n    def f(self):\n        x = 1\nx = 1\n"]) | junk,
    any_edit(),
)
def test_whatever_is_asked_ends_in_a_file_that_parses_or_in_a_rejection(
    text: str, asked: tuple[Edit, ...] | None
) -> None:
    """No source, target or file makes applying edits raise, and what comes out parses."""
    if asked is None:
        return
    outcome = apply_edits({A: text}, asked)
    if isinstance(outcome, Applied):
        for new in outcome.files.values():
            ast.parse(new.removeprefix("\ufeff"))
    else:
        assert outcome.rule
        assert outcome.message


def some_definitions(count: int) -> Iterator[tuple[str, Definition]]:
    """Definitions drawn from the standard library, each with its file's text."""
    chance = random.Random(20_251_121)  # noqa: S311 - a sample that can be drawn again, not a secret
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    chance.shuffle(paths)
    for path in paths[:count]:
        text = path.read_text(encoding="utf-8")
        document = Document.read(text, path.name)
        if isinstance(document, Document) and document.definitions and len(text) < 40_000:
            yield text, chance.choice(document.definitions)


def one_definition_edits(definition: Definition) -> Iterator[Edit]:
    """Edits of one definition that apply to it."""
    asked: list[dict[str, str]] = []
    if definition.kind == "constant":
        asked.append({"op": "set_constant", "value": "{\n    1: '''\n'''\n}"})
    else:
        name = definition.name.rpartition(".")[2]
        body = f"{'class' if definition.kind == 'class' else 'def'} {name}():\n    x = '''\n'''"
        asked.append({"op": f"replace_{definition.kind}", "source": body})
        asked.append({"op": "set_docstring", "text": "One.\n\nTwo."})
        asked.append({"op": "add_decorator", "decorator": "new(1)"})
    if definition.kind == "function":
        asked.append({"op": "add_parameter", "parameter": "*, new: int = 1"})
    targets = (definition.name, f"{definition.name}#{definition.position}")
    return iter(edits_from([{"path": A, "target": target, **one} for one in asked for target in targets]))


def test_the_quick_way_gives_what_the_long_way_gives() -> None:
    """On real files, an edit worked out on one definition's lines equals the one worked out on the whole file."""
    compared = 0
    for text, definition in some_definitions(30):
        for edit in one_definition_edits(definition):
            quick, whole = edit_text(text, edit), edit_text(text, edit, whole=True)
            assert quick == whole, (definition.name, edit.op)
            compared += isinstance(quick, str)
    assert compared > 40


def test_the_quick_way_does_not_believe_what_only_looks_like_the_target() -> None:
    """A definition inside of a string, a second one of the name, or a wrong kind sends the edit the long way."""

    def change(document: Document) -> str | No:
        found = document.find("f")
        return found if isinstance(found, No) else document.text.replace("pass", "1")

    assert glimpsed("def f():\n    pass\n", "f", change) == "def f():\n    1\n"
    assert glimpsed('"""\ndef f():\n    pass\n"""\n', "f", change) is None
    assert glimpsed("def f():\n    pass\nif x:\n    def f(): 2\n", "f", change) is None
    assert glimpsed("def f():\n    pass\nbroken(\n", "f", change) is None
    assert glimpsed("class A:\n    def f(self):\n        pass\n", "f", change) is None


@pytest.mark.parametrize(
    "other",
    ["f = 1", "f: int = 1", "g, f = 1, 2", "(f, g) = 1, 2", "[g, f] = 1, 2", "g = f = 3", "f \\\n= 1"],
)
def test_the_quick_way_sees_whatever_else_gives_the_name_a_value(other: str) -> None:
    """A function and a constant of one name are two definitions, wherever the constant stands."""

    def change(document: Document) -> str | No:
        return document.text.replace("pass", "1")

    for text in (f"{other}\ndef f():\n    pass\n", f"def f():\n    pass\n{other}\n"):
        assert len(list(named(ast.parse(text), "f"))) == 2
        assert glimpsed(text, "f", change) is None
