"""Sentences of record: commit messages and the plain description of an edit. Outside text stays quoted."""

import re
import unicodedata

from selfedit.attestation import Attestation, of_adoption, of_merge
from selfedit.edits import Edit
from selfedit.types import GateReport, Proposal

_VERBS = {
    "replace_function": "rewrite",
    "replace_class": "rewrite class",
    "delete_symbol": "delete",
    "rename_symbol": "rename",
    "set_constant": "set",
    "set_docstring": "document",
    "add_parameter": "add a parameter to",
    "add_decorator": "decorate",
    "remove_decorator": "take a decorator from",
}


def describe(edit: Edit) -> str:
    """One edit in words: what it does, to what, and where."""
    match edit.op:
        case "add_function" | "add_class":
            named = re.search(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)", edit.source, re.MULTILINE)
            kind = edit.op.removeprefix("add_")
            return f"add {kind} {named[1] if named else '?'} to {edit.into or 'the module'} in {edit.path}"
        case "rename_symbol":
            return f"rename {edit.target} to {edit.name} in {edit.path} and wherever live code uses it"
        case "set_constant":
            return f"set {edit.target} = {one_line(edit.value, 60)} in {edit.path}"
        case "add_import" | "remove_import":
            return f"{edit.op.split('_')[0]} `{one_line(edit.statement, 80)}` in {edit.path}"
        case "create_module":
            return f"create {edit.path}"
        case "add_test":
            return f"add tests to {edit.path}"
        case "write_text":
            return f"write {edit.path}"
        case "add_parameter":
            return f"add parameter `{one_line(edit.parameter, 60)}` to {edit.target} in {edit.path}"
        case "add_decorator" | "remove_decorator":
            verb = "put" if edit.op == "add_decorator" else "take"
            link = "on" if edit.op == "add_decorator" else "off"
            return f"{verb} {one_line(edit.decorator, 60)} {link} {edit.target} in {edit.path}"
        case _:
            return f"{_VERBS[edit.op]} {edit.target or 'the module'} in {edit.path}"


def one_line(text: str, limit: int = 100) -> str:
    """Text as one printable line of at most `limit` characters, without anything that CI or trailers would read."""
    flat = " ".join(
        "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text)).split()
    )
    flat = re.sub(
        r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", r"(\1)", flat, flags=re.IGNORECASE
    )
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def unlinked(text: str) -> str:
    """Text in which a forge finds nobody to tell and no issue to close: names and numbers stand apart from their signs."""
    apart = re.sub(r"@(?=\w)", "@ ", text)
    apart = re.sub(r"#(?=\d)", "# ", apart)
    apart = re.sub(r"(GH)-(?=\d)", r"\1- ", apart, flags=re.IGNORECASE)
    return apart.replace("://", ": //")


def slug(text: str) -> str:
    """A title as part of a branch name: lower-case words joined by `-`."""
    words = re.findall(r"[a-z0-9]+", text.lower().encode("ascii", "ignore").decode())
    return "-".join(words)[:40].strip("-") or "change"


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


def own_word(proposal: Proposal, by: str) -> str:
    """What is said behind the name of somebody who approved what they asked for themselves."""
    return " (self-approved)" if by == proposal.requested_by else ""


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
