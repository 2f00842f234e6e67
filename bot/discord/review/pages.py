"""What a proposal changes, as pages that fit into a message: one file a page, a long one on several. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.discord.review.parts import button, file_list
from bot.discord.review.points import Act, Point
from bot.discord.text import clean, fenced, one_line, size
from selfedit import protocol as say
from selfedit.answers.telling import SHORT, Changed, counted

PAGE = 1700
"""Characters of a page; the rest of a message is its heading."""
LONG = 3
"""A file of more pages than this is attached as a whole beside its first page."""
_OPTIONS = 25
"""Entries that Discord takes in a list."""
_NOISE = ("diff --git ", "index ")
"""Lines for programs; what they say stands in the heading."""
_LONGEST_LINE = 300
"""Characters of a line that a page shows; the attached file has all of it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, as it is sent; `whole` is the file's change where it is long."""

    text: str
    view: discord.ui.View
    whole: bytes | None
    name: str


def page(change: say.DiffIs, who: int, at: int, turn: int) -> Page:
    """A page of a change.

    Args:
        change: All of it, at least one file.
        who: The id of the person whose pages these are.
        at: Which file, from 0; beyond the last one is the last one.
        turn: Which page of it; likewise.
    """
    number, head, files = change.number, change.head, change.files
    at = min(at, len(files) - 1)
    sizes = counted(files)
    sheets = _sheets(files[at].text)
    turn = min(turn, len(sheets) - 1)
    path, size_ = one_line(files[at].path, 120), sizes[at]
    where = f"file {at + 1} of {len(files)}" + (
        f", page {turn + 1} of {len(sheets)}" if len(sheets) > 1 else ""
    )
    title = f"**Proposal {number}** at `{head[:SHORT]}`: {path} +{size_.added} -{size_.removed} ({where})"
    whole = clean(files[at].text).encode() if len(sheets) > LONG or _has_long(files[at].text) else None
    here = Point(Act.PAGE, number, head, who, at, turn)
    view = _view(here, [len(_sheets(each.text)) for each in files], sizes)
    name = "".join(char if char.isalnum() or char in "._-" else "_" for char in files[at].path)[-80:]
    return Page(f"{title}\n{fenced(sheets[turn], PAGE, 'diff')}", view, whole, f"{name}.diff")


def _sheets(text: str) -> list[list[str]]:
    """A file's change, cut into pages between lines."""
    sheets: list[list[str]] = [[]]
    used = 0
    lines = text.rstrip("\n").split("\n")
    for line in [line for line in lines if not line.startswith(_NOISE)] or lines:
        shown = clean(line)
        shown = shown if len(shown) <= _LONGEST_LINE else f"{shown[: _LONGEST_LINE - 1]}…"
        if sheets[-1] and used + size(shown) + 1 > PAGE - 40:
            sheets.append([])
            used = 0
        sheets[-1].append(shown)
        used += size(shown) + 1
    return sheets


def _has_long(text: str) -> bool:
    return any(len(line) > _LONGEST_LINE for line in text.split("\n"))


def _view(here: Point, pages: Sequence[int], sizes: Sequence[Changed]) -> discord.ui.View:
    """The way to the other pages: a list of files, and one page on or back across files."""
    view = discord.ui.View(timeout=None)
    number, head, who, at, turn = here.number, here.head, here.who, here.file, here.page
    if len(pages) > 1:
        first = max(0, min(at - _OPTIONS // 2, len(pages) - _OPTIONS))
        options = [
            discord.SelectOption(
                label=f"…{path[-98:]}" if len(path) > 99 else path or "?",  # noqa: PLR2004 - Discord takes 100
                value=str(place),
                description=f"+{each.added} -{each.removed}",
                default=place == at,
            )
            for place, each in enumerate(sizes)
            if first <= place < first + _OPTIONS
            for path in [" ".join(clean(each.path).split())]
        ]
        view.add_item(file_list(Point(Act.FILE, number, head, who, at, turn), options))
    back = (at, turn - 1) if turn else (at - 1, pages[at - 1] - 1) if at else None
    on = (at, turn + 1) if turn + 1 < pages[at] else (at + 1, 0) if at + 1 < len(pages) else None
    if back or on:
        for label, slot, to in (("Previous", "b", back), ("Next", "n", on)):
            point = Point(Act.PAGE, number, head, who, *(to or (at, turn)), slot)
            view.add_item(button(point, label, discord.ButtonStyle.secondary, enabled=to is not None))
    return view
