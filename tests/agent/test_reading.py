"""How a model looks at live code."""

from agent.author.reading import MAX_HITS, MAX_LINES, list_files, outline, read_file, search

FILES = {
    "bot/live/a/feature.py": '"""A."""\n\nfrom x import y\n\nLIMIT = 3\n\n\nclass Dice:\n    """D."""\n\n    @property\n'
    "    def sides(self) -> int:\n        return y\n\n\nasync def roll(n: int = 1) -> str:\n    return 'Rolled'\n",
    "bot/live/a/words.md": "# Words\nHello there, General\n",
}


def test_outline_tells_names_lines_and_signatures() -> None:
    """Imports, constants, classes, methods with their class, and functions come with their lines."""
    assert outline(FILES, "bot/live/a/feature.py").splitlines() == [
        "3: from x import y",
        "5-5: LIMIT = 3",
        "8-13: class Dice()",
        "11-13: def Dice.sides(self) -> int",
        "16-17: async def roll(n: int=1) -> str",
    ]


def test_outline_of_what_is_no_python_says_so() -> None:
    """A file that does not parse is named as such instead of raising."""
    assert "no Python" in outline({"a.py": "def ("}, "a.py")


def test_a_wrong_path_is_answered_with_a_near_one() -> None:
    """A path that is not there is answered with what is near it."""
    assert "bot/live/a/feature.py" in read_file(FILES, "bot/live/a/features.py")


def test_reading_is_numbered_and_bounded() -> None:
    """Lines are numbered as they stand in the file, and a long file says where to go on."""
    long = {"a.py": "\n".join(f"x = {n}" for n in range(2000))}
    shown = read_file(long, "a.py", 5).splitlines()
    assert shown[0].strip() == "5| x = 4"
    assert len(shown) == MAX_LINES + 1
    assert f"first={5 + MAX_LINES}" in shown[-1]
    assert read_file(long, "a.py", 3, 3).strip() == "3| x = 2"


def test_search_ignores_case_and_knows_stars() -> None:
    """Case does not matter, `*` is anything in the line, and regular expressions mean nothing."""
    assert search(FILES, "hello*general") == "bot/live/a/words.md:2: Hello there, General"
    assert search(FILES, "general*hello") == "No line contains that."
    assert search(FILES, "(a+)+$") == "No line contains that."


def test_search_is_bounded() -> None:
    """Too many hits are cut, and the answer says so."""
    assert f"first {MAX_HITS}" in search({"a.py": "x\n" * 500}, "x")


def test_files_are_listed() -> None:
    """Every file comes with its length."""
    assert list_files(FILES).splitlines()[1] == "bot/live/a/words.md  (2 lines)"
