"""Imports are put where a sorter of imports would put them, and taken away without a trace."""

import pytest

from selfedit.editing.codemod import Applied, apply_edits
from selfedit.editing.edits import edits_from
from tests.fakes.edited import edited, refused

SORTED = '''"""Doc."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import discord
from pydantic import BaseModel

from . import words

X = 1
'''


@pytest.mark.parametrize(
    ("statement", "above", "below"),
    [
        ("import os", "import asyncio\n", "import re\n"),
        ("import zlib", "import re\n", "from pathlib import Path\n"),
        ("from os import path", "import re\n", "from pathlib import Path\n"),
        ("from zoneinfo import ZoneInfo", "from typing import Any, cast\n", "\nimport discord\n"),
        ("import aiohttp", "\n", "import discord\n"),
        ("from bot import feature", "from pydantic import BaseModel\n\n", "\nfrom . import words\n"),
        ("from .. import far", "\n", "from . import words\n"),
        ("from .near import x", "from . import words\n", "\nX = 1\n"),
    ],
)
def test_an_import_goes_beside_its_kind(statement: str, above: str, below: str) -> None:
    """Sections and order are those of the imports that stand there."""
    new = edited(SORTED, "add_import", statement=statement)
    assert f"{above}{statement}\n{below}" in new
    assert new.replace(f"{statement}\n", "", 1).replace("\n\n\n", "\n\n") == SORTED


@pytest.mark.parametrize(
    ("text", "statement", "wanted"),
    [
        ("", "import os", "import os\n"),
        ("x = 1\n", "import os", "import os\n\nx = 1\n"),
        ("def f(): pass\n", "import os", "import os\n\n\ndef f(): pass\n"),
        ('"""D."""\n\n\ndef f(): pass\n', "import os", '"""D."""\n\nimport os\n\n\ndef f(): pass\n'),
        (
            "# lic\n\nimport re\n",
            "from __future__ import annotations",
            "# lic\n\nfrom __future__ import annotations\n\nimport re\n",
        ),
        ('"""D."""', "import os", '"""D."""\n\nimport os\n'),
        ("import a\r\n\r\nx = 1\r\n", "import b", "import a\r\nimport b\r\n\r\nx = 1\r\n"),
        ("import a", "import b", "import a\nimport b"),
        ("from a import b, d\n", "from a import c, Ee, F_G", "from a import F_G, Ee, b, c, d\n"),
        (
            "from a import (\n    b,\n    d,\n)\n",
            "from a import c, e",
            "from a import (\n    b,\n    c,\n    d,\n    e,\n)\n",
        ),
        ("from a import b\n", "from a import b, c", "from a import b, c\n"),
        (
            "from a import (\n    b,  # why\n)\n",
            "from a import c",
            "from a import (\n    b,  # why\n)\nfrom a import c\n",
        ),
    ],
)
def test_the_first_imports_and_joined_names(text: str, statement: str, wanted: str) -> None:
    """An import finds its place in any file, and joins a statement of its module where the style allows."""
    assert edited(text, "add_import", statement=statement) == wanted


def test_what_is_imported_already_is_not_imported_again() -> None:
    """A statement whose names are all there is refused, and so is one that would hide another name."""
    assert refused(SORTED, "add_import", statement="from typing import cast, Any").rule == "already_there"
    assert refused(SORTED, "add_import", statement="import re").rule == "already_there"
    assert refused(SORTED, "add_import", statement="from other import cast").rule == "name_taken"
    assert refused(SORTED, "add_import", statement="import y as X").rule == "name_taken"
    assert refused(SORTED, "add_import", statement="x = 1").rule == "not_an_import"
    assert refused(SORTED, "add_import", statement="import a; import b").rule == "not_an_import"


@pytest.mark.parametrize(
    ("text", "statement", "wanted"),
    [
        ("import a\nimport b\n", "import a", "import b\n"),
        ("import a, b\n", "import b", "import a\n"),
        ("from a import b, c, d\n", "from a import b, d", "from a import c\n"),
        (
            "from a import (\n    b,  # b\n    c,  # c\n)\n",
            "from a import c",
            "from a import (\n    b,  # b\n)\n",
        ),
        (
            "from a import (\n    b,  # b\n    c,  # c\n)\n",
            "from a import b",
            "from a import (\n    c,  # c\n)\n",
        ),
        ("from a import (\n    b,\n    c\n)\nx = 1\n", "from a import b, c", "x = 1\n"),
        ("try:\n    import a\nexcept E:\n    pass\n", "import a", "try:\n    pass\nexcept E:\n    pass\n"),
        ("import a; x = 1\n", "import a", "x = 1\n"),
        ("x = 1; import a\n", "import a", "x = 1\n"),
        ("import a\n\nimport b\n\nx = 1\n", "import a", "import b\n\nx = 1\n"),
        ("from a import b as c\n", "from a import b as c", ""),
    ],
)
def test_an_import_is_taken_away_whole_or_by_name(text: str, statement: str, wanted: str) -> None:
    """What is named goes, with its comment and the gap of its section; what else the statement brings stays."""
    assert edited(text, "remove_import", statement=statement) == wanted


def test_an_import_that_is_not_there_is_answered_with_what_is() -> None:
    """The refusal shows the imports of the same module or name."""
    no = refused("from a import b as c\n", "remove_import", statement="from a import b")
    assert (no.rule, no.suggestions) == ("unknown_import", ("from a import b as c",))


def test_a_module_is_made_once() -> None:
    """A module is created at column 0 with a newline at its end, and not where one is already."""
    edit = edits_from(
        [{"op": "create_module", "path": "bot/live/a.py", "source": "\n    x = '''\n  y'''\n    z = 1"}]
    )
    outcome = apply_edits({}, edit)
    assert outcome == Applied({"bot/live/a.py": "x = '''\n  y'''\nz = 1\n"})
    assert refused("x = 1\n", "create_module", source="y = 1").rule == "exists"
    assert refused("x = 1\n", "create_module", path="a.txt", source="y = 1").rule == "wrong_file_kind"


def test_a_text_is_written_and_replaced_but_is_not_python() -> None:
    """Prompts are written whole; Python has edits of its own."""
    assert edited("old", "write_text", path="agent/live/prompts/a.md", text="new") == "new"
    assert refused("old", "write_text", path="agent/live/prompts/a.md", text="old").rule == "no_change"
    assert refused("old", "write_text", path="agent/live/a.pyi", text="new").rule == "wrong_file_kind"
    assert (
        refused("old", "add_import", path="agent/live/a.md", statement="import a").rule == "wrong_file_kind"
    )


TEST = "tests/live/test_chat.py"


def test_tests_join_a_test_file() -> None:
    """A test goes to the end of its file, and what it imports to the top, without doubles."""
    old = "import os\n\n\ndef test_a() -> None:\n    assert os\n"
    source = "import os\nimport re\n\nCASES = [1]\n\ndef test_b():\n    assert re\n"
    wanted = "import os\nimport re\n\n\ndef test_a() -> None:\n    assert os\n\n\nCASES = [1]\n\ndef test_b():\n    assert re\n"
    assert edited(old, "add_test", path=TEST, source=source) == wanted


def test_a_test_file_is_made_when_it_is_missing() -> None:
    """The first test of a file creates it."""
    outcome = apply_edits({}, edits_from([{"op": "add_test", "path": TEST, "source": "def test_a(): pass"}]))
    assert outcome == Applied({TEST: "def test_a(): pass\n"})


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("bot/live/test_a.py", "def test_b(): pass", "wrong_file_kind"),
        ("tests/live/chat.py", "def test_b(): pass", "wrong_file_kind"),
        (TEST, "def test_a(): pass", "exists"),
        (TEST, "def helper(): pass", "not_a_test"),
        (TEST, "import os", "not_a_test"),
        (TEST, "print('x')\ndef test_b(): pass", "not_a_test"),
        (TEST, "class Test_b:\n    x = 1", "not_a_test"),
    ],
)
def test_only_tests_are_added_as_tests(path: str, source: str, rule: str) -> None:
    """Other folders, doubles, helpers alone and code that runs at import are refused."""
    assert refused("def test_a(): pass\n", "add_test", path=path, source=source).rule == rule
