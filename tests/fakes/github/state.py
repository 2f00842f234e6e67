"""All that the stand-in knows, and who hears of what happens."""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256

from tests.fakes.github.git import Bare, Name
from tests.fakes.github.things import (
    ZERO,
    Account,
    CheckRun,
    Event,
    Json,
    Permission,
    Protection,
    Pull,
    Queued,
    Status,
)

ACTIONS = 15368
"""The id of the App `github-actions`."""
TOKEN_SECONDS = 3600
"""How long a token of an installation lasts, as at GitHub."""
SETTINGS: Json = {
    "allow_merge_commit": True,
    "allow_squash_merge": True,
    "allow_rebase_merge": True,
    "allow_auto_merge": False,
    "allow_update_branch": False,
    "delete_branch_on_merge": False,
    "description": None,
    "homepage": None,
    "has_issues": True,
    "has_projects": False,
    "has_wiki": False,
    "archived": False,
}
"""What of a repository can be changed, as it is at first."""


@dataclass(slots=True)
class App:
    """An App, installed on the repository."""

    id: int
    slug: str
    name: str
    bot: Account
    installation: int
    public_key: bytes = b""
    permissions: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class InstallationToken:
    """A token of an installation."""

    token: str
    app: App
    expires: datetime
    permissions: dict[str, str]


@dataclass(slots=True)
class Hook:
    """Somebody who wants to hear of what happens."""

    id: int
    url: str
    secret: str
    events: list[str]
    active: bool = True


class World:
    """The stand-in's state."""

    def __init__(self, git: Bare, full_name: str) -> None:
        self.git, self.full_name = git, full_name
        self.base = ""
        """Address of the server, as http://127.0.0.1:PORT."""
        self.ahead = 0.0
        """Seconds that GitHub's clock is ahead of the one here."""
        self.former: set[str] = set()
        """Names that the repository had before, in small letters."""
        self._ids = itertools.count(1001)
        self._numbers = itertools.count(1)
        self.accounts: dict[str, Account] = {}
        self.apps: dict[int, App] = {}
        self.tokens: dict[str, InstallationToken] = {}
        self.pulls: dict[int, Pull] = {}
        self.runs: dict[int, CheckRun] = {}
        self.statuses: list[Status] = []
        self.activity: list[Json] = []
        self.protections: dict[str, Protection] = {}
        self.rulesets: dict[int, Json] = {}
        self.labels: dict[str, Json] = {}
        self.queue: list[Queued] = []
        self.hooks: dict[int, Hook] = {}
        self.settings = dict(SETTINGS)
        self.actions: Json = {"enabled": True, "allowed_actions": "all", "sha_pinning_required": False}
        self.workflow: Json = {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        }
        self.events: list[Event] = []
        self.hear: Callable[[Event], None] = lambda _event: None
        self.payload: Callable[[Json, Account], Json] = lambda body, _by: body
        """Completes the body of an event."""
        self.owner = self.account(full_name.partition("/")[0], "admin", kind="Organization")
        self.ghost = Account(10137, "ghost")
        self.actions_bot = Account(41898282, "github-actions[bot]", "write", "Bot")
        self.accounts[self.actions_bot.login] = self.actions_bot
        self.apps[ACTIONS] = App(ACTIONS, "github-actions", "GitHub Actions", self.actions_bot, 0)
        self.created = self.touched = self.now()
        """When the repository was made, and when something last happened in it."""

    def id(self) -> int:
        """A new id."""
        return next(self._ids)

    def number(self) -> int:
        """The number of the next pull request."""
        return next(self._numbers)

    def now(self, later: float = 0) -> str:
        """The time, or what it is some seconds later."""
        return (self.clock() + timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def clock(self) -> datetime:
        """The time by GitHub's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def http_date(self) -> str:
        """The time, as headers have it."""
        return format_datetime(self.clock(), usegmt=True)

    def account(self, login: str, permission: Permission, *, kind: str = "User") -> Account:
        """Make an account, or change its access."""
        found = self.accounts.get(login.lower())
        if found is None:
            found = Account(self.id(), login)
            found.kind = "Bot" if kind == "Bot" else "Organization" if kind == "Organization" else "User"
            if kind == "User":
                # Another in each process: a test may look through all processes for who has it.
                found.token = "ghp_" + sha256(f"{login} {found.id} {os.getpid()}".encode()).hexdigest()[:36]
            self.accounts[login.lower()] = found
        found.permission = permission
        return found

    def holder(self, token: str) -> Account | InstallationToken | None:
        """Whose token that is."""
        kept = self.tokens.get(token)
        if kept is not None:
            return kept if self.clock() < kept.expires else None
        return next((one for one in self.accounts.values() if one.token and one.token == token), None)

    def emit(self, name: str, action: str, by: Account, about: str, body: Json) -> None:
        """Tell everybody of something that happened."""
        self.touched = self.now()
        payload = self.payload(({"action": action} if action else {}) | body, by)
        event = Event(name, action, by.login, about, payload)
        self.events.append(event)
        self.hear(event)

    def moved(self, by: Account, ref: str, old: str, new: str, kind: str = "") -> None:
        """Write down that a ref was moved, created or taken away, for the repository's activity."""
        if not kind:
            kind = "branch_creation" if not old else "branch_deletion" if not new else "push"
            if kind == "push" and not self.git.within(old, new):
                kind = "force_push"
        self.activity.insert(
            0,
            {
                "id": self.id(),
                "node_id": f"PSH_{len(self.activity)}",
                "before": old or ZERO,
                "after": new or ZERO,
                "ref": ref,
                "timestamp": self.now(),
                "activity_type": kind,
                "by": by.login.lower(),
            },
        )


def signature(account: Account) -> Name:
    """How somebody is named in commits that are made for them."""
    return account.login, f"{account.id}+{account.login}@users.noreply.github.com"
