"""Outside text made fit to be written down: an edit in words, a line without anything that acts, part of a branch's name."""

import re
import unicodedata

from selfedit.editing.edits import Edit
from selfedit.types import Proposal

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


def own_word(proposal: Proposal, by: str) -> str:
    """What is said behind the name of somebody who approved what they asked for themselves."""
    return " (self-approved)" if by == proposal.requested_by else ""
