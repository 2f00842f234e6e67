"""What stands between a pull request and its merge: checks, reviews, owners, conflicts."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from tests.fakes.github.state import World
from tests.fakes.github.things import Account, CheckRun, Protection, Pull, Review, Status

FINE = ("success", "neutral", "skipped")
"""Conclusions that satisfy a required check."""
_OWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
QUEUE = "Changes must be made through the merge queue"


def protection(world: World, branch: str) -> Protection | None:
    """The rules of a branch; None where there are none."""
    return world.protections.get(branch)


def latest(world: World, head: str) -> dict[str, CheckRun | Status]:
    """The newest check run or status of each name on a commit."""
    found: dict[str, CheckRun | Status] = {}
    for status in world.statuses:
        if status.head == head:
            found[status.context] = status
    for run in world.runs.values():
        if run.head == head:
            found[run.name] = run
    return found


def standing(one: CheckRun | Status | None) -> str:
    """Where a check stands: passed, failed, or expected while it has not ended."""
    if isinstance(one, Status):
        return {"success": "passed", "pending": "expected"}.get(one.state, "failed")
    if one is None or one.status != "completed":
        return "expected"
    return "passed" if one.conclusion in FINE else "failed"


def checks_missing(world: World, rules: Protection, commit: str, *, behind: bool = False) -> Iterator[str]:
    """What required checks still say against a commit; on a head that is behind none of them counts as passed."""
    there, apps = latest(world, commit), dict(rules.apps)
    expected: list[str] = []
    failing: list[str] = []
    for name in rules.checks:
        one = there.get(name)
        if name in apps and not (isinstance(one, CheckRun) and one.app == apps[name]):
            one = None
        stands = "expected" if behind else standing(one)
        (expected if stands == "expected" else failing if stands == "failed" else []).append(name)
    for names, how in ((expected, "expected"), (failing, "failing")):
        if len(names) == 1:
            yield f'Required status check "{names[0]}" is {how}.'
        elif names:
            yield f"{len(names)} of {len(rules.checks)} required status checks are {how}."


def verdicts(pull: Pull) -> dict[str, Review]:
    """The review of each person with write access that counts now: their newest that approves or asks for changes."""
    found: dict[str, Review] = {}
    for one in pull.reviews:
        if one.state in ("APPROVED", "CHANGES_REQUESTED"):
            found[one.by.login] = one
        elif one.state == "DISMISSED":
            found.pop(one.by.login, None)
    return {login: one for login, one in found.items() if one.by.may("write") and one.by is not pull.by}


def reviews_missing(world: World, pull: Pull, rules: Protection) -> Iterator[str]:
    """What reviews still say against a pull request."""
    if rules.reviews is None:
        return
    counting = verdicts(pull)
    approving = [one.by for one in counting.values() if one.state == "APPROVED"]
    if len(approving) < len(counting):
        yield "Changes have been requested by reviewers with write access."
    if len(approving) < rules.reviews:
        many = f"{rules.reviews} approving review{'s are' if rules.reviews != 1 else ' is'}"
        yield f"At least {many} required by reviewers with write access."
    if rules.last_push and not any(one is not pull.last_pusher for one in approving):
        yield "New changes require approval from someone other than the last pusher."
    if rules.code_owners:
        names = {one.login.lower() for one in approving}
        waiting = [owners for owners in owned(world, pull) if owners and not owners & names]
        if waiting:
            yield f"Waiting on code owner review from {' or '.join(sorted(waiting[0]))}."


def owned(world: World, pull: Pull) -> list[frozenset[str]]:
    """Who owns each changed file, by the CODEOWNERS of the base: logins, in small letters."""
    text = next((t for path in _OWNERS if (t := world.git.text(pull.base_sha, path)) is not None), "")
    rows = [line.split("#")[0].split() for line in text.splitlines()]
    rules = [(row[0], frozenset(name.lstrip("@").lower() for name in row[1:])) for row in rows if row]
    found = []
    for one in world.git.changed(pull.base_sha, pull.head):
        fitting = [owners for pattern, owners in rules if _fits(pattern, one.path)]
        found.append(fitting[-1] if fitting else frozenset())
    return found


def _fits(pattern: str, path: str) -> bool:
    """Whether a pattern of CODEOWNERS means a file; of gitignore's grammar what is used there most."""
    rooted = pattern.startswith("/") or "/" in pattern.rstrip("/")
    plain = pattern.strip("/")
    if not rooted:
        return any(fnmatchcase(part, plain) for part in path.split("/"))
    inside = not plain.endswith("/*") and fnmatchcase(path, plain + "/*")
    return inside or (
        fnmatchcase(path, plain) and (not plain.endswith("/*") or path.count("/") == plain.count("/"))
    )


def missing(world: World, pull: Pull, *, by: Account, queued: bool = False) -> list[str]:
    """All that the rules of its base say against merging a pull request; `queued`: on its way through the queue."""
    rules = protection(world, pull.base)
    if rules is None or (by.permission == "admin" and not rules.admins):
        return []
    late = not queued and behind(world, pull, rules)
    found = [*reviews_missing(world, pull, rules), *checks_missing(world, rules, pull.head, behind=late)]
    return [*found, QUEUE] if rules.queue and not queued else found


def behind(world: World, pull: Pull, rules: Protection) -> bool:
    """Whether the head lacks what its base is now, where that matters."""
    strict = rules.strict and bool(rules.checks)
    return strict and not world.git.within(world.git.branch(pull.base), pull.head)


def mergeable_state(world: World, pull: Pull) -> str:
    """How GitHub sums it up."""
    if pull.draft:
        return "draft"
    if not pull.merge_sha:
        return "dirty"
    rules = protection(world, pull.base)
    if rules is not None and missing(world, pull, by=pull.by, queued=True):
        return "blocked"
    if rules is not None and behind(world, pull, rules):
        return "behind"
    bad = any(standing(one) != "passed" for one in latest(world, pull.head).values())
    return "unstable" if bad else "clean"
