"""Edits inside of a definition: parameters, decorators, docstrings, constants."""

import ast
import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.edited import edited, refused


@pytest.mark.parametrize(
    ("old", "parameter", "new"),
    [
        ("()", "x=1", "(x=1)"),
        ("(a)", "x: int = 1", "(a, x: int = 1)"),
        ("(a, /)", "x=1", "(a, /, x=1)"),
        ("(a, *, b)", "x=1", "(a, x=1, *, b)"),
        ("(a, *, b)", "*, x=1", "(a, *, b, x=1)"),
        ("(a)", "*, x=1", "(a, *, x=1)"),
        ("(*args)", "x=1", "(*args, x=1)"),
        ("(a, *args, b=2, **kwargs)", "x=1", "(a, *args, b=2, x=1, **kwargs)"),
        ("(**kwargs)", "x=1", "(x=1, **kwargs)"),
        ("(**kwargs)", "*, x=1", "(*, x=1, **kwargs)"),
        ("(a=1,)", "x=1", "(a=1, x=1,)"),
        ("(a,\n      b)", "x=1", "(a,\n      b,\n      x=1)"),
        ("(\n    a,  # the a\n)", "x=1", "(\n    a,  # the a\n    x=1,\n)"),
        ("(\n    a,\n    b  # the b\n)", "x=1", "(\n    a,\n    b,  # the b\n    x=1\n)"),
        (
            "(\n    a,\n    *,\n    b,  # the b\n    **kw,\n)",
            "x=1",
            "(\n    a,\n    x=1,\n    *,\n    b,  # the b\n    **kw,\n)",
        ),
    ],
)
def test_a_parameter_goes_where_no_call_notices_it(old: str, parameter: str, new: str) -> None:
    """A parameter comes after the positional ones, behind `*args`, and in the layout of the others."""
    assert (
        edited(f"def f{old}: pass\n", "add_parameter", target="f", parameter=parameter)
        == f"def f{new}: pass\n"
    )


@pytest.mark.parametrize(
    ("parameter", "rule"),
    [
        ("x", "needs_default"),
        ("a=1", "already_there"),
        ("*x", "not_one_parameter"),
        ("**x", "not_one_parameter"),
        ("x=1, y=2", "not_one_parameter"),
        ("x=1): pass\ndef g(", "not_one_parameter"),
        ("x=", "unparsable_source"),
        ("x=1  # why", "unparsable_source"),
    ],
)
def test_a_parameter_that_breaks_a_caller_or_the_code_is_refused(parameter: str, rule: str) -> None:
    """Only one new parameter with a default can be added."""
    assert refused("def f(a): pass\n", "add_parameter", target="f", parameter=parameter).rule == rule


def test_a_decorator_goes_on_top() -> None:
    """A new decorator stands above the others and below the definition's comments."""
    text = "class A:\n    # why\n    @one\n    # mid\n    def f(self): pass\n"
    for spelled in ("@cache", "cache", " @ cache "):
        new = edited(text, "add_decorator", target="A.f", decorator=spelled)
        assert new == text.replace("    @one", "    @cache\n    @one")


def test_a_decorator_is_taken_away_where_it_is_written_so() -> None:
    """A decorator goes whatever its spacing; comments around it stay; another one is refused with what is there."""
    text = "# why\n@one(1,  2)\n# mid\n@two\ndef f(): pass\n"
    assert (
        edited(text, "remove_decorator", target="f", decorator="@one(1, 2)")
        == "# why\n# mid\n@two\ndef f(): pass\n"
    )
    no = refused(text, "remove_decorator", target="f", decorator="one")
    assert (no.rule, no.suggestions) == ("unknown_decorator", ("@one(1, 2)", "@two"))
    assert refused(text, "add_decorator", target="f", decorator="two").rule == "already_there"
    assert refused(text, "add_decorator", target="f", decorator="a\n@b").rule == "unparsable_source"


def test_a_decorator_in_brackets_is_found() -> None:
    """A decorator that begins on another line than its sign is edited through the whole file."""
    assert (
        edited("@(\n one\n)\ndef f(): pass\n", "remove_decorator", target="f", decorator="one")
        == "def f(): pass\n"
    )


@pytest.mark.parametrize(
    ("text", "target", "wanted"),
    [
        ("def f():\n    return 1\n", "f", 'def f():\n    """Say.\n\n    More.\n    """\n    return 1\n'),
        (
            "def f():\n    'old'\n    return 1\n",
            "f",
            'def f():\n    """Say.\n\n    More.\n    """\n    return 1\n',
        ),
        ("def f(): return 1  # c\n", "f", 'def f():\n    """Say.\n\n    More.\n    """\n    return 1  # c\n'),
        ("class A:\n\tx = 1\n", "A", 'class A:\n\t"""Say.\n\n\tMore.\n\t"""\n\n\tx = 1\n'),
        (
            "class A:\r\n  def f(self): pass",
            "A.f",
            'class A:\r\n  def f(self):\r\n    """Say.\r\n\r\n    More.\r\n    """\r\n    pass',
        ),
    ],
)
def test_a_docstring_is_laid_out_as_its_place_is(text: str, target: str, wanted: str) -> None:
    """A docstring takes indentation and newlines of its definition, and one-line bodies get lines."""
    assert edited(text, "set_docstring", target=target, text="Say.\n\nMore.") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '"""D."""\n'),
        ("import os\n", '"""D."""\n\nimport os\n'),
        ("#!/bin/sh\n# lic\n\nimport os\n", '#!/bin/sh\n# lic\n"""D."""\n\nimport os\n'),
        ("'''old'''  # c\nimport os\n", '"""D."""  # c\nimport os\n'),
    ],
)
def test_an_empty_target_means_the_module(text: str, wanted: str) -> None:
    """A module's docstring stands below shebang and licence, or where the old one was."""
    assert edited(text, "set_docstring", text="D.") == wanted


words = st.text(st.sampled_from("ab \\\"'\n\tx\0\x0c\u2028é\u202e{}%"), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None, database=None)
@given(words.filter(str.strip))
def test_a_docstring_says_what_it_was_told(text: str) -> None:
    """Whatever the text holds, quotes, backslashes or control characters, the docstring's value is that text."""
    told = text
    for _ in range(3):
        # What a docstring can hold: cleaning it again changes nothing.
        told = inspect.cleandoc("\n".join(line.rstrip() for line in told.split("\n")))
    for source in ("def f():\n    return 1\n", "class A:\n    def f(self): return 1\n"):
        if not told.strip():
            continue
        target = "A.f" if "class" in source else "f"
        tree = ast.parse(edited(source, "set_docstring", target=target, text=told))
        node = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        assert ast.get_docstring(node) == told


@pytest.mark.parametrize(
    ("text", "target", "value", "wanted"),
    [
        ("X = 1  # one\n", "X", "2", "X = 2  # one\n"),
        ("X: int\n", "X", "2", "X: int = 2\n"),
        ("class A:\n    x: int = 1; y = 2\n", "A.y", "(3)", "class A:\n    x: int = 1; y = (3)\n"),
        ("X = (\n    1,\n)\n", "X", "None", "X = None\n"),
        ("class A:\n    x = 1\n", "A.x", "{\n    1: 2,\n}", "class A:\n    x = {\n        1: 2,\n    }\n"),
        (
            "class A:\n    x = 1\n",
            "A.x",
            "{\n        1: 2,\n    }",
            "class A:\n    x = {\n        1: 2,\n    }\n",
        ),
        (
            "class A:\n    x = 1\n",
            "A.x",
            '("""\nkept\n""",\n)',
            'class A:\n    x = ("""\nkept\n""",\n    )\n',
        ),
        ("if a:\n    X = 1\nelse:\n    X = 2\n", "X#2", "3", "if a:\n    X = 1\nelse:\n    X = 3\n"),
        ("X = 1\n", "X", "'a'\n'b'", "X = ('a'\n'b')\n"),
    ],
)
def test_a_constant_gets_its_value(text: str, target: str, value: str, wanted: str) -> None:
    """The value is put in, moved to its place; type, comment and neighbours stay."""
    assert edited(text, "set_constant", target=target, value=value) == wanted


@pytest.mark.parametrize(
    ("text", "target", "value", "rule"),
    [
        ("a, b = 1, 2\n", "a", "3", "not_a_constant"),
        ("a = b = 1\n", "a", "3", "not_a_constant"),
        ("def f():\n    x = 1\n", "f.x", "3", "not_a_constant"),
        ("x = 1\n", "x", "2; y = 3", "unparsable_source"),
        ("x = 1\n", "x", "y = 3", "unparsable_source"),
        ("def x(): pass\n", "x", "3", "wrong_kind"),
        ("x = 1\n", "y", "3", "unknown_target"),
        ("x = 1\n", "x", "1", "no_change"),
    ],
)
def test_what_is_no_constant_or_no_value_is_refused(text: str, target: str, value: str, rule: str) -> None:
    """Unpacking, chains, locals and statements are refused, each with its rule."""
    assert refused(text, "set_constant", target=target, value=value).rule == rule


def test_code_that_is_nested_too_deeply_for_rewriting_is_refused() -> None:
    """A chain that libcst cannot hold ends in a refusal, not in a crash."""
    text = f"def f(): return a{' or a' * 30_000}\n"
    assert refused(text, "add_decorator", target="f", decorator="x").rule == "too_deep"
