"""From what GitHub sends to what is decided by: pure, tolerant of what is missing, strict about what it relies on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfedit.forge.github.checks import LONGEST, Requirements, checks_required, runs
from selfedit.forge.github.payload import Fields, rows
from selfedit.pulls import Account, PullState, Remark, Review, ReviewState

MOST_REMARKS = 100
_OPINIONS: Mapping[str, ReviewState] = {"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested"}
_ACCESS = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
"""GitHub's words for what somebody may, and the roles of that name; who has one has those behind it too."""
_PUSHES = ("push", "force_push", "branch_creation")
_MERGES = ("pr_merge", "merge_queue_merge")
_ORDER = ("admin", "maintain", "write", "triage", "read")
NOBODY = Account(id="github:0", login="ghost", person=False)
"""An account that does not exist any more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was read of one pull request, as GitHub sent it.

    Attributes:
        pull: The pull request.
        issue: The issue that it is as well; None while it is open.
        reviews, comments: Its reviews, and the remarks on lines.
        runs, statuses: Check runs and commit statuses of its head.
        annotations: Of check runs that failed, by their ids.
        activity: What happened to its branch; None where GitHub does not tell.
        commits: Its commits, where the activity is not known, or does not tell whose they are.
        roles: The access of accounts that reviewed, by their ids.
        requirements: What its base's rules want.
        queued: Whether it stands in the merge queue.
        drafted_by: Who marked it as a draft, where a person did.
    """

    pull: Any
    issue: Any = None
    reviews: Any = field(default_factory=list)
    comments: Any = field(default_factory=list)
    runs: Any = field(default_factory=list)
    statuses: Any = field(default_factory=list)
    annotations: Mapping[int, Any] = field(default_factory=dict)
    activity: Any = None
    commits: Any = None
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requirements: Requirements = field(default_factory=Requirements)
    queued: bool = False
    drafted_by: Account | None = None


def pull_state(seen: Seen, me: str) -> PullState:
    """A pull request as it stands.

    Args:
        seen: What was read.
        me: Who Theseus is there, as `github:ID`.

    Raises:
        ForgeDown: It makes no sense.
    """
    pull = Fields(seen.pull, "a pull request")
    state, merged = pull.text("state"), pull.flag("merged")
    if state not in ("open", "closed") or (merged and state == "open"):
        raise pull.nonsense(f"its state is {state[:20]!r}")
    head = pull.object("head")
    found = runs(seen.runs, seen.statuses, seen.annotations, seen.requirements)
    closed_by = None
    if state == "closed" and not merged and seen.issue is not None:
        closed_by = _maybe(Fields(seen.issue, "an issue").maybe("closed_by"))
    return PullState(
        number=pull.number("number"),
        url=pull.text("html_url", default=""),
        open=state == "open",
        draft=pull.flag("draft", default=False),
        base=pull.object("base").text("ref"),
        head=head.commit("sha"),
        merged=pull.commit("merge_commit_sha") if merged else "",
        merged_by=_merger(pull.maybe("merged_by"), me) if merged else None,
        closed_by=closed_by,
        reviews=reviews(seen.reviews, seen.comments, seen.roles, me),
        pushed_by=pushers(seen.activity, seen.commits, me),
        runs=found,
        queued=seen.queued,
        drafted_by=seen.drafted_by,
        checks_required=checks_required(seen.requirements, found),
    )


def account(user: Fields | None, roles: tuple[str, ...] = ()) -> Account:
    """Somebody on GitHub; whoever is not there any more is nobody."""
    if user is None:
        return NOBODY
    login = user.text("login")
    person = user.text("type", default="User") == "User" and not login.endswith("[bot]")
    return Account(id=f"github:{user.number('id')}", login=login, roles=roles, person=person)


def roles(answer: object, who: str) -> tuple[str, ...]:
    """The roles that somebody has by their access to the repository; none where the answer is about somebody else.

    Args:
        answer: What GitHub says of a login's permission.
        who: Whose it should be, as `github:ID`: a login may be another's by now.
    """
    permission = Fields(answer, "a permission")
    user = permission.maybe("user")
    if user is None or f"github:{user.number('id')}" != who:
        return ()
    if (flags := user.maybe("permissions")) is not None:
        held = {name for word, name in _ACCESS.items() if flags.flag(word, default=False)}
    else:
        held = {permission.text("permission")}
    highest = next((at for at, name in enumerate(_ORDER) if name in held), len(_ORDER))
    return tuple(f"github:role/{name}" for name in _ORDER[highest:])


def reviews(
    found: object, comments: object, roles: Mapping[str, tuple[str, ...]], me: str
) -> tuple[Review, ...]:
    """The newest review of each person that says something, with what they wrote on lines.

    As on GitHub, a later comment takes no approval back and no wish for changes; what it says stands with that. A
    review that was dismissed is none, and nothing older counts in its place.
    """
    lines: dict[int, list[Remark]] = {}
    for one in rows(comments, "remarks"):
        if one.has("pull_request_review_id"):
            lines.setdefault(one.number("pull_request_review_id"), []).append(_remark(one))
    opinions: dict[str, Review | None] = {}
    said: dict[str, list[Review]] = {}
    for one in sorted(rows(found, "reviews"), key=lambda each: each.number("id")):
        state, by = one.text("state").upper(), account(one.maybe("user"))
        if not by.person or by.id == me or state == "PENDING":
            continue
        by = by.model_copy(update={"roles": roles.get(by.id, ())})
        number = one.number("id")
        body = one.text("body", default="")[:LONGEST]
        own = (Remark(id=number, by=by, text=body),) if body.strip() else ()
        review = Review(
            id=number,
            by=by,
            state=_OPINIONS.get(state, "commented"),
            head=one.text("commit_id", default=""),
            remarks=(*own, *lines.get(number, ()))[:MOST_REMARKS],
        )
        if state in _OPINIONS:
            opinions[by.id], said[by.id] = review, []
        elif state == "DISMISSED":
            opinions[by.id], said[by.id] = None, []
        elif state == "COMMENTED":
            said.setdefault(by.id, []).append(review)
        else:
            raise one.nonsense(f"its state is {state[:20]!r}")
    newest = (_together(opinions.get(who), said[who]) for who in said)
    return tuple(review for review in newest if review is not None)


def _together(opinion: Review | None, later: Sequence[Review]) -> Review | None:
    if opinion is None:
        return later[-1] if later else None
    remarks = (*opinion.remarks, *(remark for review in later for remark in review.remarks))
    return opinion.model_copy(update={"remarks": remarks[:MOST_REMARKS]})


def brought(activity: object) -> bool:
    """Whether commits came to a branch by a pull request into it, so that who did that need not be whose they are."""
    return any(one.text("activity_type") in _MERGES for one in rows(activity, "an activity"))


def pushers(activity: object, commits: object, me: str) -> tuple[Account, ...]:
    """Who put commits on a branch, Theseus left out.

    Args:
        activity: What happened to the branch; None where GitHub does not tell.
        commits: The commits, of which those count whom GitHub names for authors and committers; None where that is not needed.
        me: Who Theseus is there.
    """
    acts = rows(activity or [], "an activity")
    users = [one.maybe("actor") for one in acts if one.text("activity_type") in (*_PUSHES, *_MERGES)]
    named = [one.maybe(role) for one in rows(commits or [], "commits") for role in ("author", "committer")]
    users += [one for one in named if one is not None and one.has("id")]  # `{}` is nobody whom GitHub knows
    found = {one.id: one for one in map(account, users) if one.id not in (me, NOBODY.id)}
    return tuple(found.values())


# Texts by others


def _remark(one: Fields) -> Remark:
    return Remark(
        id=one.number("id"),
        by=account(one.maybe("user")),
        text=one.text("body", default="")[:LONGEST],
        path=one.text("path", default="")[:500],
        line=one.number("line", default=one.number("original_line", default=0)),
    )


def _merger(user: Fields | None, me: str) -> Account | None:
    """Who merged; Theseus is no person, also where it acts with the token of an account for people."""
    by = _maybe(user)
    return by.model_copy(update={"person": False}) if by is not None and by.id == me else by


def _maybe(user: Fields | None) -> Account | None:
    return None if user is None else account(user)
