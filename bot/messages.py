"""What is answered on a chat service, to whom, and in how large pieces; knows no service's library."""

from collections.abc import Sequence

from bot.control.commands import Unclear, parse
from bot.surface import Control, Theseus
from selfedit import render

LONGEST = 1900
"""Characters of one message; Discord takes 2000, the rest is for the code fence."""


class Messages:
    """Answers messages of people who sit elsewhere: live code for everybody, control for maintainers."""

    def __init__(self, theseus: Theseus, maintainers: Sequence[str]) -> None:
        """Put it together; `maintainers` are named as `surface:id`."""
        self._theseus = theseus
        self._maintainers = frozenset(maintainers)
        self._controls: dict[str, Control] = {}

    async def reply(self, text: str, author: str, conversation: str) -> str:
        """The answer to one message."""
        asked = parse(text, author, files=False)
        if asked is None:
            return await self._theseus.respond(text, author, conversation)
        if author not in self._maintainers:
            return (
                "Only maintainers may do that here; they are listed under [approval] in policies/rules.toml."
            )
        if isinstance(asked, Unclear):
            return asked.why
        if asked.name == "quit":
            return "Theseus is ended where it was started, not from here."
        control = self._controls.setdefault(author, Control(self._theseus))
        said = render.plain(*await control.carry_out(asked), width=100)
        return f"```\n{said.replace('```', chr(0x2BC) * 3)}\n```"


def pieces(text: str) -> list[str]:
    """Cut a text into messages that Discord takes, at line ends where that is possible; fences stay fences."""
    fenced = text.startswith("```\n") and text.endswith("\n```")
    rest = text[4:-4] if fenced else text
    cut = []
    while rest:
        end = len(rest) if len(rest) <= LONGEST else rest.rfind("\n", 1, LONGEST) + 1 or LONGEST
        piece, rest = rest[:end], rest[end:]
        if piece.strip():
            cut.append(f"```\n{piece.rstrip()}\n```" if fenced else piece)
    return cut
