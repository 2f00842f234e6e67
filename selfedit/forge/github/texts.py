"""What a pull request of Theseus says: title, body and comments, from facts of the steward alone.

No sentence here comes from a model, but for what is quoted as such; what others wrote is made harmless on its way in.
"""

from collections.abc import Mapping, Sequence

from policies.merge import approvals_needed
from selfedit.answers import telling
from selfedit.answers.telling import Changed
from selfedit.forge.github.harmless import block, code, line, prose, quote, short
from selfedit.forge.github.verdicts import LONGEST_BODY, findings, place, table
from selfedit.types import Check, GateReport, Proposal, Stage
from selfedit.words import describe

LABEL, LOOK_LABEL = "theseus", "theseus: look closely"
LABELS: Mapping[str, tuple[str, str]] = {
    LABEL: ("1d76db", "Proposed by Theseus, which runs this code"),
    LOOK_LABEL: ("d93f0b", "The gate names points that it cannot judge alone: two approvals"),
}
"""Colour and description of the labels that it uses."""
LONGEST_TITLE = 240
"""GitHub takes 256 signs."""
_MOST_EDITS = 60
_NO_BEHAVIOUR = "The gate did not compare how it behaves."


def title(one: Proposal) -> str:
    """The title of a proposal's pull request."""
    return line(f"{one.title or 'A change'} (proposal {one.number})", LONGEST_TITLE)


def revert_title(one: Proposal) -> str:
    """The title of the pull request that takes a proposal back."""
    return line(f"Take back proposal {one.number}: {one.title}", LONGEST_TITLE)


def body(one: Proposal, changed: Sequence[Changed], git: str) -> str:
    """The body of a proposal's pull request, for who reviews it.

    Args:
        one: The proposal.
        changed: How much of which files it touches.
        git: The address from which git fetches.
    """
    judged = one.report if one.report is not None and one.report.head == one.head else None
    parts = [
        _opening(one, judged),
        f"## What was asked for\n\n{_goal(one)}",
        f"## Why, as its author puts it\n\n{quote(one.reason)}" if one.reason else "",
        f"## What it changes\n\n{_edits(one)}\n\n{_files(changed)}".rstrip(),
        *(_judged(one, judged, changed) if judged else ()),
        _try_it(one, git),
        _roll_back(one),
        _trailers(one, judged),
    ]
    return short("\n\n".join(part for part in parts if part), LONGEST_BODY) + "\n"


def revert_body(one: Proposal, why: str) -> str:
    """The body of the pull request that takes a proposal back."""
    rows = [row.partition(": ") for row in why.splitlines()]
    by, reason = (
        next((value for key, _, value in rows if key == name), "") for name in ("Reverted-by", "Reason")
    )
    there = f"#{one.pull}, " if one.pull else ""
    asked = f" It was asked for by {code(_called(one, by), 80)}." if by else ""
    return (
        f"This takes proposal {one.number} back ({there}{code(one.title, LONGEST_TITLE)}).{asked}\n\n"
        f"{quote(reason or why)}\n\n"
        "The running bot serves the code from before already; with this, the branch follows. The steward made this tree, "
        "and judged it. It is merged by itself as soon as the rules of this repository let it: when its checks have passed, "
        "and somebody has approved it where they ask for that. Whoever closes it leaves the branch as it is, and the bot on "
        f"the code from before, until somebody asks for `/rollback {one.number}` again.\n\n"
        f"---\n\n{block(why)}\n"
    )


def comment(text: str) -> str:
    """A sentence or more, as a comment."""
    said = text[:1].upper() + text[1:]
    return (
        short("\n\n".join(prose(one, 2000) for one in said.splitlines()[:60] if one.strip()), LONGEST_BODY)
        or "(nothing to say)"
    )


def closing(one: Proposal, why: str) -> str:
    """The comment with which a proposal's pull request is closed."""
    ended = {
        Stage.REJECTED: "turned down",
        Stage.REFUSED: "refused",
        Stage.FAILED: "not carried on",
        Stage.REVERTED: "taken back",
    }.get(one.stage, "closed")
    return f"Proposal {one.number} was {ended}.\n\n{quote(why or one.why or 'no reason was given')}\n"


# Parts of the body

_NO_GOAL = "Nobody in particular: maintenance found it by itself, from what linters, the type checker or telemetry say."
_BY_HAND = "Nothing in words: whoever asked wrote the edits by hand."


def _opening(one: Proposal, judged: GateReport | None) -> str:
    who = code(_called(one, one.requested_by), 80)
    start = f"Theseus proposes this change to its own code. It was asked for by {who}."
    if part := telling.part(one):
        start += f" It is {part}, a larger goal in small steps: the next is proposed when this one is live and kept."
    if judged is None:
        return f"{start}\n\n**It is being judged.** It becomes ready for review when the gate has passed it; there is nothing to do until then."
    if judged.verdict != "passed":
        return f"{start}\n\n**The gate did not let it through.**"
    needed = approvals_needed(judged.findings)
    people = "an approval" if needed == 1 else f"{needed} approvals"
    return (
        f"{start}\n\nThe gate has passed the exact tree that would be merged. What it takes now is {people} of this head, "
        f"by somebody who may and did not ask for it. {_something_else(one)}"
    )


def _goal(one: Proposal) -> str:
    if one.goal:
        return quote(one.goal)
    return _BY_HAND if one.author == "person" else _NO_GOAL


def _something_else(one: Proposal) -> str:
    """What whoever wants another change does: only a model drafts again."""
    if one.author == "model":
        return (
            "Whoever wants something else requests changes: the texts of such a review go to its author, who drafts it "
            "again."
        )
    whose = "it was made by hand" if one.author == "person" else "it follows what analysers found"
    return (
        f"No model drafts it again, because {whose}: whoever wants something else pushes it to the branch, or closes this "
        "and asks anew with `/improve`."
    )


def _edits(one: Proposal) -> str:
    shown = [f"- {prose(describe(edit), 300)}" for edit in one.edits[:_MOST_EDITS]]
    if (more := len(one.edits) - len(shown)) > 0:
        shown.append(f"- and {more} more")
    listed = "\n".join(shown) or "- (no edits are recorded)"
    if not one.pushed_by:
        return listed
    people = ", ".join(code(_called(one, who), 80) for who in one.pushed_by[:20])
    return f"{listed}\n\nBeside these edits of its author there are commits by {people}."


def _files(changed: Sequence[Changed]) -> str:
    if not changed:
        return ""
    rows = [f"| {code(one.path)} | +{one.added} | -{one.removed} |" for one in changed[:_MOST_EDITS]]
    return "\n".join(["| file | added | removed |", "|---|---:|---:|", *rows])


def _judged(one: Proposal, report: GateReport, changed: Sequence[Changed]) -> tuple[str, ...]:
    behaviour = next((check for check in report.checks if check.name == "behaviour"), None)
    others = [found for check in report.checks if check is not behaviour for found in check.findings]
    return (
        f"## What the gate found\n\n{table(report)}\n\n{place(report)}",
        f"### How it behaves otherwise than before\n\n{_behaviour(behaviour)}",
        f"### Findings\n\n{findings(others)}",
        f"### What there is to lose\n\n{prose(telling.risk(one, changed))}",
    )


def _behaviour(check: Check | None) -> str:
    if check is None:
        return _NO_BEHAVIOUR
    return f"{prose(check.summary, 500)}\n\n{findings(check.findings)}".rstrip()


def _try_it(one: Proposal, git: str) -> str:
    steps = (
        f"git fetch {git} {one.branch}\n"
        "git worktree add ../theseus-try FETCH_HEAD && cd ../theseus-try\n"
        "scripts/test        # everything that is checked here\n"
        "scripts/run         # without DISCORD_TOKEN: at the console\n"
    )
    judge = f".venv/bin/python -m selfedit gate --repo . --base {one.base[:12]} --head {one.head[:12]}"
    return f"## How to try it\n\n```sh\n{steps}{judge}   # the gate's own verdict again\n```"


def _roll_back(one: Proposal) -> str:
    return (
        "## How to take it back\n\n"
        "After the merge it is watched, and taken back by itself if it fails. A person does that with "
        f"`/rollback {one.number}` in chat, or `.venv/bin/python -m selfedit rollback {one.number}` on its machine; the revert comes here as a "
        "pull request of its own."
    )


def _trailers(one: Proposal, judged: GateReport | None) -> str:
    rows = [
        ("Proposal", str(one.number)),
        ("Requested-by", one.requested_by),
        ("Author", one.author or "none"),
        ("Model", one.model or "none"),
        ("Base", one.base),
        ("Head", one.head),
    ]
    if judged is not None:
        image = judged.sandbox.image if judged.sandbox else "none"
        rows.append(("Gate", f"{judged.verdict} tree={judged.tree} policy={judged.policy} image={image}"))
    facts = "\n".join(f"{key}: {' '.join(line(value, 300).split())}" for key, value in rows)
    return f"---\n\n{block(facts)}"


def _called(one: Proposal, who: str) -> str:
    """Somebody by name, where it is known, and by id."""
    name = dict(one.names).get(who, "")
    return f"{name} ({who})" if name else who
