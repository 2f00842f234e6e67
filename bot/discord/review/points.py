"""What a component carries in its id, so that it works in whatever process is asked: the proposal, the head, the person."""

import re
from dataclasses import dataclass
from enum import StrEnum

HEAD = 40
"""Digits of a head that are carried: all of a git hash."""


class Act(StrEnum):
    """What somebody wants who uses a component."""

    DIFF = "diff"
    APPROVE = "yes"
    REJECT = "no"
    ASK = "ask"
    ROLLBACK = "back"
    SURE_APPROVE = "yes!"
    SURE_ROLLBACK = "back!"
    REASON = "why"
    LEAVE = "leave"
    PAGE = "page"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a component points.

    Attributes:
        act: What it is for.
        number: The proposal.
        head: The head that was shown beside it.
        who: Whose it is, by id; 0 for everybody's.
        file: For pages of a diff, which file.
        page: And which page of that file.
        slot: Tells components apart that point to the same.
    """

    act: Act
    number: int
    head: str = ""
    who: int = 0
    file: int = 0
    page: int = 0
    slot: str = ""

    @property
    def id(self) -> str:
        """As it stands in a component; Discord takes 100 characters."""
        where = f"{self.file}.{self.page}"
        return f"p/{self.act}/{self.number}/{self.head[:HEAD]}/{self.who}/{where}/{self.slot}"

    def shows(self, head: str) -> bool:
        """Whether a head is the one that was shown."""
        return bool(self.head) and head[:HEAD] == self.head[:HEAD]


IDS = re.compile(
    r"p/(?P<act>diff|yes!?|no|ask|back!?|why|leave|page|file)/(?P<number>\d{1,9})/(?P<head>[0-9a-f]{0,40})"
    r"/(?P<who>\d{1,20})/(?P<file>\d{1,4})\.(?P<page>\d{1,4})/(?P<slot>[a-z]?)"
)


def point_of(found: re.Match[str]) -> Point:
    """What a component's id says."""
    return Point(
        Act(found["act"]),
        int(found["number"]),
        found["head"],
        int(found["who"]),
        int(found["file"]),
        int(found["page"]),
        found["slot"],
    )
