"""Small faults are telling, readable, and never in what no test should tell."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfedit.gate.mutants import mutants, pick

PATH = "app/live/x.py"
ROOT = Path(__file__).parents[2]


def becomes(source: str, lines: set[int] | None = None) -> list[str]:
    """The changed line of each fault."""
    return [mutant.becomes for mutant in mutants(PATH, dedent(source).lstrip("\n").encode(), lines)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x = n > limit", "x = n >= limit"),
        ("x = n <= limit", "x = n < limit"),
        ("x = n == limit", "x = n != limit"),
        ("x = n in limit", "x = n not in limit"),
        ("x = n is not None", "x = n is None"),
        ("x = a and b", "x = a or b"),
        ("x = not a", "x = a"),
        ("x = not (a or b)", "x = (a or b)"),
        ("x = 1 if a else b", "x = 1 if not a else b"),
        ("x = [n for n in a if n.b]", "x = [n for n in a if not n.b]"),
        ("x = a - b", "x = a + b"),
        ("x *= a", "x += a"),
        ("x = 3", "x = 4"),
        ("x = -1.5", "x = -2.5"),
        ("x = True", "x = False"),
        ("x = f(b'a')", "x = f(b'')"),
        ("x = 'é' + (a < b)", "x = 'é' + (a <= b)"),
        ("x.y = a", "pass"),
        ("x[0] = a", "pass"),
        ("f(x)", "pass"),
        ("del x[0]", "pass"),
        ("raise ValueError(x)", "pass"),
        ("def f(a, b=2): return a", "def f(a, b=3): return a"),
        ("def f(a): return a.b", "def f(a): return None"),
        ("async def f(a): await g(a)", "async def f(a): pass"),
        ("while a: break", "while a: continue"),
    ],
)
def test_each_kind_of_fault_is_planted(line: str, fault: str) -> None:
    """What is compared, decided, calculated, done and given back has its fault."""
    assert fault in becomes(line)


@pytest.mark.parametrize(
    "line",
    [
        '"""Text."""',
        "import a",
        "x: Literal['a', 'b']",
        "def f(a: 'int') -> 'str': ...",
        "__all__ = ['a']",
        "log.info('said %s', 1)",
        "self._logger.warning('said')",
        "x = cast('int', a)",
        "x = TypeVar('x')",
        "@a.b(1)\ndef f(): ...",
        "if TYPE_CHECKING:\n    x = 1",
        "if __name__ == '__main__':\n    x = 1",
        "assert a == 1",
        "x = f'said {a}'",
        "def f(): return None",
    ],
)
def test_what_no_test_should_tell_has_no_fault(line: str) -> None:
    """Docstrings, types, logs, imports and the like are left alone."""
    assert becomes(line) == []


def test_texts_of_errors_and_of_help_are_left_alone() -> None:
    """Of an error only that it is raised matters, and of a command not how its help reads."""
    assert becomes("raise ValueError('too large', 3)") == ["pass"]
    assert becomes("x = command(usage='roll', summary='rolls')") == []


def test_a_guard_that_is_left_out_lets_everything_through() -> None:
    """The one `return` of an `if` is taken away, condition and all else stay."""
    source = """
        def f(a):
            if a.b:
                return 1
            return a.c
    """
    assert "pass" in becomes(source, {3})


def test_one_number_at_a_boundary_is_one_fault() -> None:
    """`n < 2` is the same as `n <= 1`, so that only one of both is planted."""
    assert becomes("x = n < 1") == ["x = n <= 1"]


def test_at_most_one_text_of_a_line_is_changed() -> None:
    """Texts are many, and tell little."""
    assert becomes("x = ['a', 'b', 'c']") == ["x = ['', 'b', 'c']"]


def test_only_the_lines_that_matter_have_faults() -> None:
    """A fault stands on a wished line; the rest of the file stays as it is."""
    source = b"a = 1\nb = 2\nc = 3\n"
    (only,) = mutants(PATH, source, {2})
    assert (only.line, only.was, only.becomes) == (2, "b = 2", "b = 3")
    assert only.what == "- b = 2\n+ b = 3"
    assert only.applied(source) == b"a = 1\nb = 3\nc = 3\n"


def test_it_is_known_what_runs_while_a_file_is_loaded() -> None:
    """Defaults and constants run at loading, bodies of functions do not."""
    found = mutants(PATH, b"A = 1\n\n\ndef f(b=2):\n    return 3\n\n\ng = lambda c=4: 5\n")
    assert {mutant.becomes: mutant.loaded for mutant in found} == {
        "A = 2": True,
        "def f(b=3):": True,
        "return 4": False,
        "g = lambda c=5: 5": True,
        "g = lambda c=4: 6": False,
    }


@pytest.mark.parametrize(
    "source", [b"def (", b"\xff", b"x = 1\x00", b"(" * 5000, b"x = " + b"a or " * 900 + b"b"]
)
def test_what_cannot_be_read_has_no_faults(source: bytes) -> None:
    """No file makes planting fail."""
    assert mutants(PATH, source) == ()


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("bot/live/*/feature.py")), ids=lambda path: path.parent.name
)
def test_every_fault_is_a_program_that_differs(path: Path) -> None:
    """Of real code, each fault parses, means something else, and changes what it says it changes."""
    source = path.read_bytes()
    found = mutants(path.name, source)
    assert found
    plain = ast.dump(ast.parse(source))
    for mutant in found:
        applied = mutant.applied(source)
        assert ast.dump(ast.parse(applied)) != plain
        assert mutant.becomes in applied.decode().splitlines()[mutant.line - 1]
        assert mutant.was != mutant.becomes


@given(st.integers(0, 12), st.integers(1, 9))
def test_a_choice_is_spread_over_the_lines(most: int, lines: int) -> None:
    """No line has a second fault chosen before each has its first, and never more than wished."""
    source = "".join(f"x{at} = a < b and c\n" for at in range(lines)).encode()
    chosen = pick(mutants(PATH, source), most)
    assert len(chosen) == min(most, 2 * lines)
    assert len({mutant.line for mutant in chosen}) == min(most, lines)
    assert len({(mutant.start, mutant.end) for mutant in chosen}) == len(chosen)
