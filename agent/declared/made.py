"""Who may make tools out of data, who is offered them, and what people are told of them.

A tool that somebody made is offered to its maker alone, in the place where it was made, until a maintainer has looked
at that very version and shared it: its description is read by models, and what they send goes to the host it names.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from agent.calling.answered import Place
from agent.calling.schema import BadSignature
from agent.calling.toolbox import Tool, Toolbox
from agent.declared.call import AT_ONCE, tool_of
from agent.declared.document import TEMPLATE
from agent.declared.judging import read_document, target_of
from agent.declared.shelf import Broken, Entry, Shelf, ShelfProblem
from agent.ports import Api
from agent.services.threads import Threads
from policies.access import LEVELS, level_of
from policies.decision import Decision
from policies.load import Rules

_FENCE = re.compile(r"```(?:json|toml)?\s*(.*?)\s*```", re.DOTALL)
"""As people paste things in chat."""
_NAMED = re.compile(r"([a-z][a-z0-9_]*)\s+(?!=)(.*)", re.DOTALL)
"""A name in front of a description; in TOML, what stands before a `=` is none."""
_LOOKED_THROUGH = 4
"""Times the characters of a result, since some may be taken out."""
MOST = 500
"""Tools in all, whoever made them."""
USAGE = (
    "Say /tool create {...}, /tool list, /tool show NAME, /tool try NAME {...}, /tool share NAME VERSION, /tool remove "
    "NAME, or /tool template for a description to begin with."
)
_CODE = (
    "a tool is described as JSON or TOML, not in words: /tool template shows how. For one that needs code ask for it, "
    "as /improve add a tool that ...; it is written, tried and approved like any other change."
)


class Made:
    """Tools made of data. Satisfies what `agent.chat.brain` needs of them."""

    def __init__(self, shelf: Shelf, rules: Rules, api: Callable[[], Awaitable[Api]]) -> None:
        """Put it together.

        Args:
            shelf: Where they are kept.
            rules: Who may make one, and which hosts may be asked.
            api: Opens the way to the net at the first call.
        """
        self._shelf = shelf
        self._rules = rules
        self._api = api
        self._tools: dict[str, Tool] = {}
        self._threads = Threads(AT_ONCE)
        self._most_chars = _LOOKED_THROUGH * rules.tools.result_chars

    def beside(self, toolbox: Toolbox, caller: str, place: str) -> Toolbox:
        """A generation's tools, and beside them those made of data that somebody may have in a place."""
        made = {
            name: self._tool(entry)
            for name, entry in self._shelf.entries.items()
            if toolbox.find(name) is None and not self._withheld(entry, caller, place)
        }
        return replace(toolbox, tools={**toolbox.tools, **made}) if made else toolbox

    def answer(self, rest: str, who: Place, toolbox: Toolbox) -> str:
        """Answer `/tool ...`, all but `/tool try`.

        Args:
            rest: What follows `/tool`.
            who: Who says it, and where.
            toolbox: The tools of the generation that serves.
        """
        what, more = [*rest.split(None, 1), "", ""][:2]
        try:
            match what:
                case "template":
                    return f"A description to begin with; put it behind /tool create:\n{TEMPLATE}"
                case "create":
                    return self._create(more.strip(), who, toolbox)
                case "list":
                    return self._list(who, toolbox)
                case "show" | "share" | "remove":
                    return self._one(what, more.strip(), who)
        except ShelfProblem as problem:
            return f"Not done: {problem}."
        return USAGE

    def close(self) -> None:
        """Close the file."""
        self._shelf.close()

    def _create(self, text: str, who: Place, toolbox: Toolbox) -> str:
        if not self._trusted(who.caller):
            return (
                "Not done: only people whom the operator trusts make tools; ask one of them, or a maintainer."
            )
        text = _FENCE.sub(r"\1", text)
        named = _NAMED.fullmatch(text)
        name, text = (named[1], named[2]) if named else ("", text)
        if not text.strip().startswith("{") and "=" not in text:
            return f"Not done: {_CODE}"
        document = read_document(text, self._rules.web, name)
        if isinstance(document, Decision):
            return f"Not done: {document.why}."
        if toolbox.find(document.name) is not None:
            return f"Not done: a tool that comes with the bot is called {document.name}; choose another name."
        owner = self._shelf.maker(document.name)
        if owner and owner != who.caller and not self._maintains(who.caller):
            return f"Not done: somebody else's tool is called {document.name}; choose another name."
        if not owner and (full := self._full(who.caller)):
            return f"Not done: {full}."
        entry = Entry(document, 0, who.caller, who.conversation, 0.0)
        try:
            self._made_of(entry)
        except BadSignature as problem:
            return f"Not done: {problem}."
        entry = self._shelf.put(document, who.caller, who.conversation)
        takes = "changes things, so a person has to ask for it" if document.writes else "only looks things up"
        host = target_of(document, self._rules.web)
        where = host.host if not isinstance(host, Decision) else "nowhere"
        return (
            f"Made: {document.name}, version {entry.version}. It asks {where} and {takes}. It is offered to you, here; a "
            f"maintainer opens it to all with /tool share {document.name} {entry.number}. Try it: "
            f"/tool try {document.name} {{...}}"
        )

    def _full(self, maker: str) -> str:
        makers = [entry.maker for entry in self._shelf.entries.values()]
        makers += [broken.maker for broken in self._shelf.broken.values()]
        own = makers.count(maker)
        if own >= self._rules.tools.made_by_one and not self._maintains(maker):
            return f"you have made {own} tools, which is all that one person may have; remove one first"
        return f"there are {len(makers)} tools, which is all there may be" if len(makers) >= MOST else ""

    def _list(self, who: Place, toolbox: Toolbox) -> str:
        rows = []
        for name, entry in sorted(self._shelf.entries.items()):
            if not self._may_see(entry, who):
                continue
            shared = "for everybody" if entry.shared_by else f"for {entry.maker}, in {entry.place}"
            hidden = "; not offered, since a tool that comes with the bot has this name now"
            rows.append(
                f"  {name}  {entry.document.description} ({entry.version}, {shared}"
                f"{hidden if toolbox.find(name) is not None else ''})"
            )
        if self._maintains(who.caller):
            rows += [f"  {name}  not offered: {broken.why}" for name, broken in self._broken]
        if not rows:
            return "There are no tools made of data here. /tool template shows how to make one."
        return "\n".join(["Tools made of data; /tool show NAME tells more:", *rows])

    @property
    def _broken(self) -> list[tuple[str, Broken]]:
        return sorted(self._shelf.broken.items())

    def _one(self, what: str, rest: str, who: Place) -> str:
        name, number = [*rest.split(None, 1), "", ""][:2]
        entry = self._shelf.entries.get(name)
        broken = self._shelf.broken.get(name)
        if broken is not None and what == "remove" and self._may_remove(broken, who):
            self._shelf.remove(name)
            return f"Removed: {name}."
        if entry is None or not self._may_see(entry, who):
            return f"There is no tool {name[:48]!r} made of data that you may see; /tool list lists them."
        if what == "show":
            return _shown(entry)
        if what == "share":
            if not self._maintains(who.caller):
                return "Not done: only maintainers open a tool to everybody; ask one to look at it."
            return self._share(entry, number.strip(), who)
        if not self._may_remove(entry, who):
            return f"Not done: {name} was made by somebody else; they or a maintainer may remove it."
        self._shelf.remove(name)
        self._tools.pop(name, None)
        return f"Removed: {name}. /tool create makes it again, as a new version."

    def _share(self, entry: Entry, number: str, who: Place) -> str:
        name = entry.document.name
        if number not in (str(entry.number), entry.version):
            said = f"version {number[:20]}" if number else "no version"
            return (
                f"Not done: you say {said}, and the newest is {entry.number}; look at it with /tool show {name}, then say "
                f"/tool share {name} {entry.number}."
            )
        if not self._shelf.share(name, entry.number, who.caller):
            return f"Not done: {name} was removed or made anew meanwhile; look at it again with /tool show {name}."
        return f"Shared: {name}, version {entry.version}, may be used wherever its permission allows it."

    def _made_of(self, entry: Entry) -> Tool:
        return tool_of(entry, self._api, self._withheld, self._threads, self._most_chars)

    def _tool(self, entry: Entry) -> Tool:
        name = entry.document.name
        tool = self._tools.get(name)
        if tool is None or tool.manifest.version != entry.version:
            tool = self._tools[name] = self._made_of(entry)
        return tool

    def _withheld(self, entry: Entry, caller: str, place: str) -> str:
        """Why somebody may not have a tool in a place, now; empty where they may."""
        name = entry.document.name
        now = self._shelf.entries.get(name)
        if now is None or now.number != entry.number:
            return f"{name} was removed or made anew meanwhile; ask again"
        if now.shared_by or (caller == now.maker and place == now.place and self._trusted(caller)):
            return ""
        return f"{name} is offered to its maker only, where it was made, until a maintainer shares it"

    def _may_remove(self, entry: Entry | Broken, who: Place) -> bool:
        return entry.maker == who.caller or self._maintains(who.caller)

    def _may_see(self, entry: Entry, who: Place) -> bool:
        mine = entry.maker == who.caller and entry.place == who.conversation
        return mine or bool(entry.shared_by) or self._maintains(who.caller)

    def _trusted(self, caller: str) -> bool:
        return LEVELS.index(level_of(caller, self._rules)) >= LEVELS.index("trusted")

    def _maintains(self, caller: str) -> bool:
        return level_of(caller, self._rules) == "maintainer"


def _shown(entry: Entry) -> str:
    made = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = json.dumps(
        entry.document.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, indent=2
    )
    shared = f"shared by {entry.shared_by}" if entry.shared_by else f"for its maker only, in {entry.place}"
    return (
        f"{entry.document.name}, version {entry.version}, made by {entry.maker} on {made}, {shared}:\n{text}"
    )
