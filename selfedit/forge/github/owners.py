"""CODEOWNERS: who has to approve what changes a file. Pure."""

from collections.abc import Sequence

OWNERS_FILE = ".github/CODEOWNERS"


def codeowners(owners: Sequence[str], live: Sequence[str]) -> str:
    """A CODEOWNERS in which somebody answers for each file; whoever else may judge live code is added to those lines."""
    names = " ".join(owners)
    rows = [f"/{folder} {names}" for folder in live]
    return "\n".join(
        [
            "# Who has to approve what changes a file. The last line that fits a file counts.",
            "# Everything is kernel, which only people change ...",
            f"* {names}",
            "# ... but for what is live, which Theseus proposes changes to: who may judge those is named here.",
            *rows,
            "",
        ]
    )


def unowned(text: str, live: Sequence[str]) -> str:
    """Why a CODEOWNERS leaves a file that is not live without an owner; empty where it leaves none."""
    rows = [row.split("#")[0].split() for row in text.splitlines()]
    rules = [(row[0], row[1:]) for row in rows if row]
    if not rules:
        return "there is none; scripts/github-setup --owners @NAME writes one, which is then merged as any change is"
    if not any(pattern in ("*", "/**", "**") and names for pattern, names in rules):
        return "no rule for * names an owner"
    loose = [
        pattern for pattern, names in rules if not names and not pattern.lstrip("/").startswith(tuple(live))
    ]
    return f"{loose[0]} has no owner" if loose else ""
