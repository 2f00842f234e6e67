"""How a repository on GitHub has to be set up, so that its rules bind everybody, Theseus included: pure.

What is there (`Found`) is compared with what is wanted (`Wish`), and each difference is an `Item`. Rules of a branch are looked
at as GitHub applies them: classic protection and rulesets together, the stricter of both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from selfedit.forge.github.owners import unowned
from selfedit.forge.github.texts import LABELS
from selfedit.forge.github.verdicts import GATE

Standing = Literal["ok", "differs", "unseen"]
Place = Literal["main", "repository", "actions", "labels", "webhook", "owners"]
Payload = Mapping[str, Any]
REQUIRED = ("check", "gate")
"""The jobs of .github/workflows that have to pass."""
SETTINGS: Mapping[str, tuple[bool, str]] = {
    "allow_merge_commit": (True, "merge commits are allowed"),
    "allow_squash_merge": (False, "squashing is off: what was judged is not what would come to main"),
    "allow_rebase_merge": (False, "rebasing is off: what was judged is not what would come to main"),
    "delete_branch_on_merge": (True, "branches go when they are merged"),
    "allow_auto_merge": (False, "auto-merge is off: a merge takes the steward's verdict"),
}
WORKFLOW: Mapping[str, tuple[object, str]] = {
    "default_workflow_permissions": ("read", "the token of a job may only read"),
    "can_approve_pull_request_reviews": (False, "a job approves nothing"),
}
RIGHTS: Mapping[Place, str] = {
    "main": "Administration: read",
    "repository": "Administration: read (or write access to the repository)",
    "actions": "Administration: read",
    "labels": "Issues: read",
    "webhook": "Webhooks: read",
    "owners": "Contents: read",
}
"""Which right of a token shows what."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted beyond what always is.

    Attributes:
        live: Folders that need no owner of the kernel.
        steward: Whether `theseus/gate` has to be there, too.
        app: The App that has to say it; 0: anybody may.
        actions: The App of GitHub Actions, which has to say the others; 0: anybody may.
        address: Where webhooks go; empty: nowhere.
        events: What they tell of.
    """

    live: tuple[str, ...]
    steward: bool = False
    app: int = 0
    actions: int = 0
    address: str = ""
    events: tuple[str, ...] = ()

    @property
    def checks(self) -> dict[str, int]:
        """Each required check with the App that has to say it; 0 for any."""
        return dict.fromkeys(REQUIRED, self.actions) | ({GATE: self.app} if self.steward else {})


@dataclass(frozen=True, slots=True)
class Found:
    """What GitHub says that there is. None: it was not to be seen.

    Attributes:
        repository: The repository itself.
        protection: Classic protection of main; empty where there is none.
        rules: What rulesets ask of main.
        bypassed: Rulesets that somebody may pass by, in words; None where that cannot be told.
        workflow: What jobs may by default.
        labels: The names of the labels.
        hooks: The webhooks.
        owners: The file CODEOWNERS of main; empty where there is none.
        errors: What GitHub finds wrong with it, in words.
    """

    repository: Payload | None = None
    protection: Payload | None = None
    rules: Sequence[Payload] | None = None
    bypassed: Sequence[str] | None = ()
    workflow: Payload | None = None
    labels: Sequence[str] | None = None
    hooks: Sequence[Payload] | None = None
    owners: str | None = None
    errors: Sequence[str] | None = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is as wanted, or not, or not to be seen."""

    place: Place
    text: str
    standing: Standing
    why: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """What classic protection and rulesets ask of main together."""

    pull_request: bool = False
    approvals: int = 0
    flags: frozenset[str] = frozenset()
    checks: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Required checks, with the Apps that they are bound to."""


def compare(wish: Wish, found: Found) -> list[Item]:
    """Each thing that is wanted, and how it stands."""
    return [
        *_main(wish, found),
        *_pairs("repository", SETTINGS, found.repository),
        *_pairs("actions", WORKFLOW, found.workflow),
        *_labels(found.labels),
        *(_webhook(wish, found.hooks) if wish.address else ()),
        *_owners(wish, found),
    ]


def in_force(found: Found) -> InForce:
    """What is asked of main, whoever asks."""
    classic = found.protection or {}
    reviews: Payload = classic.get("required_pull_request_reviews") or {}
    statuses: Payload = classic.get("required_status_checks") or {}
    flags = {name for name in _REVIEW_FLAGS if reviews.get(name)}
    flags |= {"strict"} if statuses.get("strict") else set()
    flags |= {"conversations"} if on(classic, "required_conversation_resolution") else set()
    flags |= {name for name in ("allow_force_pushes", "allow_deletions") if classic and not on(classic, name)}
    checks: dict[str, set[int]] = {}
    for one in statuses.get("checks") or ():
        checks.setdefault(str(one.get("context")), set()).add(int(one.get("app_id") or 0))
    approvals = int(reviews.get("required_approving_review_count") or 0)
    asked = "required_pull_request_reviews" in classic
    for rule in found.rules or ():
        said: Payload = rule.get("parameters") or {}
        flags |= _RULES.get(str(rule.get("type")), frozenset())
        if rule.get("type") == "pull_request":
            asked = True
            approvals = max(approvals, int(said.get("required_approving_review_count") or 0))
            flags |= {name for name, theirs in _REVIEW_FLAGS.items() if said.get(theirs)}
            flags |= {"conversations"} if said.get("required_review_thread_resolution") else set()
        if rule.get("type") == "required_status_checks":
            flags |= {"strict"} if said.get("strict_required_status_checks_policy") else set()
            for one in said.get("required_status_checks") or ():
                checks.setdefault(str(one.get("context")), set()).add(int(one.get("integration_id") or 0))
    bound = {name: frozenset(apps) for name, apps in checks.items()}
    return InForce(asked, approvals, frozenset(flags), bound)


_REVIEW_FLAGS = {
    "dismiss_stale_reviews": "dismiss_stale_reviews_on_push",
    "require_code_owner_reviews": "require_code_owner_review",
    "require_last_push_approval": "require_last_push_approval",
}
"""What classic protection and rulesets call the same."""
_RULES: Mapping[str, frozenset[str]] = {
    "deletion": frozenset({"allow_deletions"}),
    "non_fast_forward": frozenset({"allow_force_pushes"}),
    "merge_queue": frozenset({"strict"}),  # what it merges was checked on what main is then
    "required_linear_history": frozenset({"linear"}),
}


def _main(wish: Wish, found: Found) -> Iterator[Item]:
    force, classic = in_force(found), found.protection or {}
    hidden = found.protection is None or found.rules is None

    def item(text: str, *, holds: bool, why: str) -> Item:
        if holds:
            return Item("main", text, "ok")
        return Item("main", text, "unseen", RIGHTS["main"]) if hidden else Item("main", text, "differs", why)

    many = f"{force.approvals} are asked for"
    yield item(
        "changes need a pull request", holds=force.pull_request, why="anybody with write access may push"
    )
    yield item("an approval is needed", holds=force.approvals >= 1, why=many)
    for name, text in _WORDS.items():
        yield item(text, holds=name in force.flags, why="it is not so")
    for name, app in wish.checks.items():
        by = f", said by App {app}" if app else ""
        apps = force.checks.get(name)
        why = "it is not required" if apps is None else "anybody with write access may say it"
        yield item(
            f"the check {name} is required{by}",
            holds=bool(apps) and (not app or app in (apps or ())),
            why=why,
        )
    linear = "linear" in force.flags or on(classic, "required_linear_history")
    text = "merge commits may come to it"
    if linear:
        yield Item("main", text, "differs", "a linear history is asked for")
    else:
        yield item(text, holds=not hidden, why="")
    exempt = [*_exempt(classic), *(found.bypassed or ())]
    if found.bypassed is None and not exempt:
        yield Item("main", "administrators are bound too", "unseen", RIGHTS["main"])
    else:
        bound = not exempt and (on(classic, "enforce_admins") if classic else bool(found.rules))
        yield item("administrators are bound too", holds=bound, why=", ".join(exempt) or "they are not")


_WORDS = {
    "require_code_owner_reviews": "owners of kernel files approve what changes those",
    "dismiss_stale_reviews": "a push takes approvals back",
    "require_last_push_approval": "whoever pushed last does not approve that",
    "strict": "a head has to contain what main is, or the merge queue sees to it",
    "conversations": "open conversations are resolved first",
    "allow_force_pushes": "its history is not rewritten",
    "allow_deletions": "it is not deleted",
}


def _exempt(classic: Payload) -> list[str]:
    """Who may merge without a review, by classic protection."""
    named: Payload = (classic.get("required_pull_request_reviews") or {}).get(
        "bypass_pull_request_allowances"
    ) or {}
    found = [name_of(one) for kind in ("users", "teams", "apps") for one in named.get(kind) or ()]
    return [f"{', '.join(found)} may merge without a review"] if found else []


def _pairs(place: Place, wanted: Mapping[str, tuple[object, str]], there: Payload | None) -> Iterator[Item]:
    for name, (value, text) in wanted.items():
        if there is None or name not in there:
            yield Item(place, text, "unseen", RIGHTS[place])
        elif there[name] == value:
            yield Item(place, text, "ok")
        else:
            yield Item(place, text, "differs", f"{name} is {str(there[name]).lower()}")


def _labels(there: Sequence[str] | None) -> Iterator[Item]:
    for name in LABELS:
        text = f"there is the label {name!r}"
        if there is None:
            yield Item("labels", text, "unseen", RIGHTS["labels"])
        else:
            has = name.lower() in {one.lower() for one in there}
            yield Item("labels", text, *(("ok", "") if has else ("differs", "it is missing")))


def hook_of(wish: Wish, hooks: Sequence[Payload]) -> Payload | None:
    """The webhook that goes to the address that is wanted."""
    return next((one for one in hooks if (one.get("config") or {}).get("url") == wish.address), None)


def _webhook(wish: Wish, hooks: Sequence[Payload] | None) -> Iterator[Item]:
    text = f"webhooks go, signed, to {wish.address}"
    if hooks is None:
        yield Item("webhook", text, "unseen", RIGHTS["webhook"])
        return
    there = hook_of(wish, hooks) or {}
    config: Payload = there.get("config") or {}
    events = set(there.get("events") or ())
    faults = {
        "there is none": not there,
        "it is switched off": there and not there.get("active"),
        "it has no secret": there and not config.get("secret"),
        "it does not send JSON": there and config.get("content_type") != "json",
        "it takes any certificate": there and str(config.get("insecure_ssl", "0")) != "0",
        "it does not tell of all that matters": there and not (set(wish.events) <= events or "*" in events),
    }
    why = next((fault for fault, holds in faults.items() if holds), "")
    yield Item("webhook", text, "differs" if why else "ok", why)


def _owners(wish: Wish, found: Found) -> Iterator[Item]:
    text = "every file that is not live has an owner (CODEOWNERS of main)"
    if found.owners is None or found.errors is None:
        yield Item("owners", text, "unseen", RIGHTS["owners"])
        return
    why = found.errors[0] if found.errors else unowned(found.owners, wish.live)
    yield Item("owners", text, "differs" if why else "ok", why)


def on(payload: Payload, name: str) -> bool:
    """Whether a rule is on, in either of the two forms in which GitHub says so."""
    one = payload.get(name)
    return bool(one.get("enabled")) if isinstance(one, Mapping) else bool(one)


def name_of(one: Payload) -> str:
    """What somebody, a team or an App is called there."""
    return str(one.get("login") or one.get("slug") or "somebody")
