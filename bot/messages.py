"""What is answered on a chat service, and to whom; knows no service's library."""

import re
from dataclasses import replace

from agent.incoming.wish import PLAIN, Wish
from bot.asking import Question
from bot.control.commands import Unclear, needs, parse, split, without
from bot.surface import Show, Theseus, unseen
from policies.rights import CAPABILITIES, Person

NOT_CARRIED_OUT = "That was not carried out; what you may do was changed just now, so say it again."
_OF_BOTH = frozenset({"history", "forget"})
"""Commands that are about what was said in a place, and about what one person alone was shown there."""


class Messages:
    """Answers messages of people who sit elsewhere, on live code, for whoever may chat.

    What is about proposals is answered by the service's own review; whoever may not use that is told so here.
    """

    def __init__(self, theseus: Theseus) -> None:
        self._theseus = theseus

    async def reply(
        self, text: str, person: Person, conversation: str, wish: Wish = PLAIN, show: Show = unseen
    ) -> str:
        """The answer to one message, as it is wished for and with what came along."""
        asked = parse(text, person.id, files=False, roles=person.roles)
        needed = "chat" if asked is None else needs(text)
        decision = self._theseus.may(needed, person)
        if not decision.allowed:
            return decision.why
        if asked is None:
            wish = replace(wish, marked=True)
            hidden = self._hidden(text, person)
            answer = await self._theseus.respond(text, person.id, conversation, wish, show, hidden=hidden)
            own = own_place(conversation, person)
            if own != conversation and (split(text) or ("",))[0] in _OF_BOTH:
                more = await self._theseus.respond(text, person.id, own, wish, show)
                answer = f"{answer}\n\nOf what only you were shown here: {more}"
            return self._theseus.discreet(answer)
        if isinstance(asked, Unclear):
            return asked.why
        if asked.name == "quit":
            return "Theseus is ended where it was started, not from here."
        return NOT_CARRIED_OUT  # a service shows proposals in its own way, and does so before it comes here

    def _hidden(self, text: str, person: Person) -> frozenset[str]:
        """The commands that a command is not told of, as it is not for whoever uses it: help lists the others.

        Who names one is told what it is all the same. Chat hears of all, so that it can say how things are changed here.
        """
        if (parts := split(text)) is None:
            return frozenset()
        lacking = {one for one in CAPABILITIES if not self._theseus.may(one, person).allowed}
        return without(lacking).difference(re.findall(r"\w+", parts[1].lower()))

    async def ask(self, question: Question, person: Person, conversation: str, show: Show = unseen) -> str:
        """The answer to a question whose wishes are known: nothing in its words is a command."""
        decision = self._theseus.may("chat", person)
        if not decision.allowed:
            return decision.why
        marked = replace(question, wish=replace(question.wish, marked=True))
        answer = await self._theseus.chat(marked, person.id, conversation, show)
        answer = self._theseus.discreet(answer)
        return f"{question.notice}\n\n{answer}" if question.notice else answer


def own_place(conversation: str, person: Person) -> str:
    """The conversation of what one person alone is shown in a place; in direct messages there is no other."""
    return f"{conversation}/{person.id.rpartition(':')[2]}" if "/" in conversation else conversation
