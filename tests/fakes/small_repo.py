"""A small repository of Theseus's shape, in real git: kernel, live code, tests, settings of every tool, a trial load."""

import os
import subprocess
from pathlib import Path
from textwrap import dedent

from policies.load import Rules, load_rules
from selfedit.repo import Repo

GREET = "app/live/greet.py"
GREET_TEST = "tests/live/test_greet.py"
RULES = """
[zones]
live = ["app/live/", "tests/live/"]
tests = ["tests/live/"]
[imports]
forbidden = ["os", "selfedit"]
quiet = ["dataclasses", "app.core"]
[change]
max_line_chars = 20000
[gate]
tests = ["tests"]
pytest_plugins = []
test_processes = 2
static_seconds = 300
test_seconds = 240
trial_seconds = 60
memory_mb = 1024
"""
FILES = {
    "pyproject.toml": """
        [project]
        name = "app"
        version = "1"

        [tool.ruff]
        line-length = 110

        [tool.ruff.lint]
        select = ["E", "F", "I"]

        [tool.mypy]
        strict = true
        files = ["app", "tests"]

        [tool.pytest.ini_options]
        addopts = ["--import-mode=importlib"]
        filterwarnings = ["error"]

        [tool.importlinter]
        root_package = "app"

        [[tool.importlinter.contracts]]
        name = "live code does not reach into the vault"
        type = "forbidden"
        source_modules = ["app.live"]
        forbidden_modules = ["app.vault"]
    """,
    "app/__init__.py": '"""An application."""\n',
    "app/core.py": '''
        """What live code may use. `run` stands for whatever a cheat finds to get at the interpreter."""


        def polite(name: str) -> str:
            """A name, politely."""
            return name.strip().title()


        def run(code: str) -> None:
            """Run some code, given in hexadecimal so that no rule reads it."""
            exec(bytes.fromhex(code).decode(), {})
    ''',
    "app/vault.py": '"""What live code may not use."""\n\nGOLD = 3\n',
    "app/live/__init__.py": '"""Live code."""\n',
    GREET: '''
        """Greets."""

        from app.core import polite


        def greet(name: str) -> str:
            """Say hello."""
            return f"Hello, {polite(name)}!"
    ''',
    "bot/trial.py": '''
        """Loads the live code."""

        import importlib
        import json


        def main(root: str, wish: str) -> int:
            """Say whether it loads."""
            try:
                said = importlib.import_module("app.live.greet").greet("ann")
            except Exception as error:
                print(json.dumps({"ok": False, "why": repr(error), "features": [], "commands": []}))
                return 1
            print(json.dumps({"ok": True, "why": said, "features": ["greet"], "commands": []}))
            return 0
    ''',
    "tests/kernel/test_core.py": """
        from app.core import polite


        def test_a_name_is_made_polite() -> None:
            assert polite(" ann ") == "Ann"
    """,
    GREET_TEST: """
        from app.live.greet import greet


        def test_it_greets_by_name() -> None:
            assert "Ann" in greet("ann")


        def test_it_says_hello() -> None:
            assert greet("ann").startswith("Hello")
    """,
}

FAULTS = {
    "honest": ("Say hello.", "Say hello to somebody."),
    "format": ("polite(name)", "polite( name)"),
    "lint": ('"""Say hello."""', '"""Say hello."""\n    unused = 1'),
    "types": ("polite(name)", "polite(len(name) and name)"),
    "imports": ("polite\n\n", "polite\nfrom app.vault import GOLD\n\nRICH = GOLD\n\n"),
    "tests": ("Hello,", "Goodbye,"),
}
"""An honest edit of GREET, and one with a planted fault for each check that finds it: what stands there, and what then."""


def text(source: str) -> str:
    """A dedented file."""
    return dedent(source).lstrip("\n")


def small_rules(folder: Path, **sections: dict[str, object]) -> Rules:
    """The rules of the small repository, with some values of some sections replaced."""
    over = folder / "rules.toml"
    over.write_text(RULES)
    rules = load_rules(over)
    others = {name: getattr(rules, name).model_copy(update=values) for name, values in sections.items()}
    return rules.model_copy(update={**others, "policy": f"{rules.policy} {sections}"})


class SmallRepo:
    """The repository at `root`, with one commit on main; one that is there already is taken as it is."""

    def __init__(self, root: Path, files: dict[str, str] | None = None) -> None:
        self.root = root
        if not (root / ".git").exists():
            self._make(FILES if files is None else files)
        self.repo = Repo(root)
        self.base = self.repo.main()

    def _make(self, files: dict[str, str]) -> None:
        for path, content in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text(content))
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("add", "--all")
        self._git(
            "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "--quiet", "--message=start"
        )

    def change(self, files: dict[str, str | None], on: str | None = None, message: str = "change") -> str:
        """A commit on `on` (main's first, if not given) with some files written or, for None, taken away."""
        parent = on or self.base
        data = {path: None if new is None else text(new).encode() for path, new in files.items()}
        return self.repo.commit(self.repo.write_tree(parent, data), [parent], message)

    def edit(self, path: str, old: str, new: str, on: str | None = None) -> str:
        """A commit in which some text of one file is another."""
        entry = self.repo.entries(on or self.base)[path]
        before = self.repo.blobs([entry.sha])[entry.sha].decode()
        assert old in before
        return self.change({path: before.replace(old, new)}, on)

    def _git(self, *arguments: str) -> None:
        own = {"HOME": str(self.root), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, env=own)
