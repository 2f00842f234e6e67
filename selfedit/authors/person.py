"""The author that needs no thought: edits that a person gave by hand."""

from collections.abc import Sequence

from policies.decision import Finding
from selfedit.ports import Tell, Workbench
from selfedit.types import Draft, NoDraft, Request
from selfedit.words import describe, one_line


class Person:
    """Hands a person's edits on as they are."""

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """The request's own edits; a second round makes no sense, since nobody changed them."""
        del bench, tell
        if not request.edits or complaints:
            return NoDraft(why="the edits are as they were given; change them and ask again")
        first, more = describe(request.edits[0]), len(request.edits) - 1
        title = one_line(first if not more else f"{first}, and {more} more", 120)
        reason = request.goal or f"{request.requested_by} wrote these edits by hand."
        return Draft(title=title[:1].upper() + title[1:], reason=reason, edits=request.edits, author="person")
