"""The messages of the commits that a proposal becomes: what vouches for it stands in their trailers. Outside text stays quoted."""

from selfedit.history.attestation import Attestation, of_adoption, of_merge
from selfedit.types import GateReport, Proposal
from selfedit.words import describe, one_line, own_word, unlinked


def head_message(number: int, proposal: Proposal) -> str:
    """The message of a proposal's commit."""
    facts = _trailers(
        ("Proposal", str(number)),
        ("Requested-by", proposal.requested_by),
        ("Author", proposal.author),
        ("Model", proposal.model or "none"),
    )
    said = f"{one_line(proposal.title, 72)}\n\n{_quoted(proposal.reason)}\n\n{_listed(proposal)}"
    return f"{unlinked(said)}\n\n{facts}\n"


def merge_message(proposal: Proposal, report: GateReport, ledger: str) -> str:
    """The message of the commit that merges a proposal, with everything that vouches for it."""
    title, message = merge_words(proposal, report, ledger)
    return f"{title}\n\n{message}\n{of_merge(proposal, report).line()}\n"


def vouch_message(proposal: Proposal, report: GateReport, ledger: str) -> str:
    """The message of the commit that vouches for what a proposal became where others merged it."""
    said = merge_message(proposal, report, ledger).partition("\n")[2]
    title = one_line(proposal.title, 60)
    return f"Vouch for proposal {proposal.number}: {title}\n{said}"


def merge_words(proposal: Proposal, report: GateReport, ledger: str) -> tuple[str, str]:
    """The first line and the rest of what a merge says of itself, without what only a signature makes worth anything."""
    facts = _trailers(
        ("Proposal", str(proposal.number)),
        ("Requested-by", proposal.requested_by),
        *(("Approved-by", f"{by}{own_word(proposal, by)}") for by in proposal.approvals),
        ("Gate", gate_line(report)),
        ("Model", proposal.model or "none"),
        ("Ledger", ledger),
    )
    return (
        f"Merge proposal {proposal.number}: {one_line(proposal.title, 60)}",
        f"{_listed(proposal)}\n\n{facts}",
    )


def revert_message(proposal: Proposal, by: str, why: str, ledger: str, attestation: Attestation) -> str:
    """The message of the commit that takes a proposal back."""
    facts = _trailers(
        ("Proposal", str(proposal.number)),
        ("Reverted-by", by),
        ("Reason", why),
        ("Ledger", ledger),
    )
    facts += f"\n{attestation.line()}"
    title = unlinked(one_line(proposal.title, 60))
    return f'Revert "{title}"\n\nThis reverts commit {proposal.merge}.\n\n{facts}\n'


def adopt_message(report: GateReport, tree: str, commits: int, ledger: str) -> str:
    """The message of the commit with which the steward vouches for commits that people made."""
    what = "a commit" if commits == 1 else f"{commits} commits"
    facts = _trailers(("Gate", gate_line(report)), ("Ledger", ledger))
    facts += f"\n{of_adoption(report, tree).line()}"
    return f"Adopt {what} made by people\n\nThe tree is theirs; this commit says that it was judged.\n\n{facts}\n"


def gate_line(report: GateReport) -> str:
    """A verdict in one line."""
    place = f"{report.sandbox.backend} {report.sandbox.image[:19]}" if report.sandbox else "no sandbox"
    return f"{report.verdict} tree={report.tree[:12]} policy={report.policy[:12]} sandbox={place}"


def _trailers(*facts: tuple[str, str]) -> str:
    return "\n".join(f"{key}: {unlinked(one_line(value, 200))}" for key, value in facts)


def _quoted(text: str) -> str:
    lines = [one_line(line, 200) for line in text.splitlines()[:60]]
    return "\n".join(f"> {line}".rstrip() for line in lines) or "> (no reason given)"


def _listed(proposal: Proposal) -> str:
    shown = [f"- {one_line(describe(edit), 150)}" for edit in proposal.edits[:20]]
    more = len(proposal.edits) - len(shown)
    return "\n".join([*shown, *([f"- and {more} more"] if more > 0 else [])])
