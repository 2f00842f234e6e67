"""Which lines of code under test a test runs."""

import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfedit.gate.inside.tracing import ANY, Tracer

PATH = "app/code.py"
TEXT = "def sign(number):\n    if number < 0:\n        return 'less'\n    return 'more'\n\n\ndef other():\n    return 1\n"


@pytest.fixture
def code(tmp_path: Path) -> Iterator[dict[str, Callable[..., object]]]:
    """The functions of a file below `tmp_path`; afterwards nothing is traced that was not before."""
    before = sys.gettrace()
    (tmp_path / "app").mkdir()
    (tmp_path / PATH).write_text(TEXT)
    yield runpy.run_path(str(tmp_path / PATH))
    sys.settrace(before)
    threading.settrace(before)


def test_watched_lines_are_told_and_no_others(tmp_path: Path, code: dict[str, Callable[..., object]]) -> None:
    """Of a file's lines those are told that are watched and ran, and that something of it ran."""
    tracer = Tracer(str(tmp_path), {PATH: [3, 4]})
    tracer.on()
    code["sign"](1)
    sys.settrace(None)
    assert tracer.taken() == {PATH: [ANY, 4]}
    assert tracer.taken() == {}


def test_a_file_of_which_other_lines_run_is_told(
    tmp_path: Path, code: dict[str, Callable[..., object]]
) -> None:
    """A test that runs something else of a watched file uses that file."""
    tracer = Tracer(str(tmp_path), {PATH: [3]})
    tracer.on()
    code["other"]()
    sys.settrace(None)
    assert tracer.taken() == {PATH: [ANY]}


def test_tracing_ends_with_the_last_line_that_is_watched(
    tmp_path: Path, code: dict[str, Callable[..., object]]
) -> None:
    """Nothing is traced any more when all was seen, and all is seen again when the next test begins."""
    tracer = Tracer(str(tmp_path), {PATH: [3, 4]})
    for _ in range(2):
        tracer.on()
        code["sign"](1)
        still = sys.gettrace()
        code["sign"](-1)
        code["other"]()
        assert still is not None
        assert sys.gettrace() is None
        assert tracer.taken() == {PATH: [ANY, 3, 4]}
