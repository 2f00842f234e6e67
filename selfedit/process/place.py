"""What a steward stands on: a repository, a home, rules, a forge if `main` lives on one, and which sandbox is wished for."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from policies.load import Rules, load_rules
from sandbox.choose import Choice
from sandbox.types import SandboxUnavailable
from selfedit.forge.github.forge import open_forge
from selfedit.forge.github.settings import left_out, take_credentials
from selfedit.home import home_for, make_home, socket_path
from selfedit.ports import Upstream
from selfedit.repo import Repo


@dataclass(slots=True)
class Place:
    """Which repository, where its state is, under which rules, and where `main` lives.

    Attributes:
        upstream: Opens the forge on which `main` lives; None where it lives here.
        lacking: What is not set of what a forge takes; empty where all of it is, or nothing.
    """

    root: Path
    home: Path
    rules: Rules
    upstream: Callable[[Repo], Upstream] | None = None
    lacking: str = ""

    @property
    def owner(self) -> str:
        """A word for this home, under which its containers run."""
        return socket_path(self.home).stem

    @classmethod
    def here(cls, root: Path | None = None) -> "Place":
        """The repository around a folder, by default the working directory.

        What the forge is reached with is taken out of the environment: no process that is started later has it.

        Raises:
            SettingsProblem: What is set for GitHub cannot be used.
            RulesProblem: The rules cannot be read.
            RepoProblem: There is no usable repository.
        """
        lacking = left_out(os.environ)
        settings = take_credentials(os.environ)
        rules = load_rules()
        found = Repo(root or Path.cwd(), rules.repo.branch).root
        upstream = functools.partial(open_forge, settings) if settings is not None else None
        home = make_home(home_for(found))
        return cls(root=found, home=home, rules=rules, upstream=upstream, lacking=lacking)


def wished_sandbox() -> Choice:
    """Which sandbox `THESEUS_SANDBOX` asks for.

    Raises:
        SandboxUnavailable: It names none that there is.
    """
    wish = os.environ.get("THESEUS_SANDBOX") or "auto"
    for choice in get_args(Choice):
        if wish == choice:
            return cast("Choice", choice)
    raise SandboxUnavailable(f"THESEUS_SANDBOX is {wish!r}; set it to auto, docker or bubblewrap")
