"""Tools made of data, as tests make them: descriptions, people, and a shelf with its way to a small web."""

import json
from pathlib import Path
from typing import Any

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.declared.document import Document
from agent.declared.judging import read_document
from agent.declared.made import Made
from agent.declared.shelf import Shelf
from agent.ports import Api
from agent.services.api import Calling
from agent.services.web import Client
from policies.load import Rules, WebRules, load_rules
from tests.fakes.tools import call
from tests.fakes.web_server import Site

RULES = load_rules()
BEA = Place("discord:8", "discord:1/2")
CAI = Place("discord:9", "discord:1/2")
DAN = Place("discord:10", "discord:1/2")
"""Trusted like Bea, while nobody trusts Cai."""
GOOD: dict[str, Any] = {
    "name": "weather_now",
    "description": "Say what the weather is like in a place.",
    "url": "https://weather.example/v1/{place}/now",
    "query": {"unit": "{unit}"},
    "parameters": {
        "place": {"description": "a town", "longest": 20},
        "unit": {"choices": ["celsius", "fahrenheit"], "default": "celsius"},
    },
    "answer": "now[0].text",
}
POST: dict[str, Any] = {
    "name": "add_note",
    "description": "Add a note to the list of notes.",
    "method": "POST",
    "permission": "trusted",
    "url": "https://notes.example/notes",
    "body": {"title": "note: {title}", "stars": "{stars}", "tags": ["from chat"]},
    "parameters": {"title": {}, "stars": {"type": "integer", "least": 1, "most": 5, "default": 1}},
}


def with_(document: dict[str, Any], **changed: Any) -> str:
    """A document with other fields."""
    return json.dumps({**document, **changed})


def read(text: str, rules: WebRules = RULES.web) -> Document:
    """A document that is good."""
    document = read_document(text, rules)
    assert isinstance(document, Document), document.why
    return document


def rules_for(site: Site, **changed: Any) -> Rules:
    """The rules, with a site that may be reached and one person who is trusted."""
    tools = RULES.tools.model_copy(update={"trusted": (BEA.caller, DAN.caller), "footer": "never"})
    web = site.rules(**{"exempt_writes": (f"127.0.0.1:{site.port}",), **changed})
    return RULES.model_copy(update={"web": web, "tools": tools})


class World:
    """A shelf, what may be made on it, and the net."""

    def __init__(self, site: Site, folder: Path, **changed: Any) -> None:
        self.rules = rules_for(site, **changed)
        self.client = Client(self.rules.web)
        self.now = 1000.0
        self._api = Calling(self.client, self.rules.web, lambda: self.now)
        self._folder = folder
        self.open()

    def open(self) -> None:
        """What a new process finds."""
        self.shelf = Shelf(self._folder / "tools.sqlite3", self.rules.web)
        self.made = Made(self.shelf, self.rules, self.api)

    async def api(self) -> Api:
        """The way to the net."""
        return self._api

    def say(self, text: str, who: Place = BEA, toolbox: Toolbox | None = None) -> str:
        """What `/tool ...` answers."""
        return self.made.answer(text, who, toolbox or Toolbox())

    def names(self, who: Place) -> list[str]:
        """What a model is offered for somebody."""
        beside = self.made.beside(Toolbox(), who.caller, who.conversation)
        return [each.name for each in beside.allowed(who.caller, who.conversation, "partner", self.rules)]

    async def run(self, name: str, who: Place = BEA, **arguments: Any) -> tuple[str, str]:
        """What comes of one call."""
        beside = self.made.beside(Toolbox(), who.caller, who.conversation)
        answered = await Calls(self.rules).run(beside, call(name, **arguments), who)
        assert answered.untrusted or answered.outcome in ("wrong", "unknown", "denied", "late")
        return answered.outcome, answered.text


def at(site: Site, document: dict[str, Any] = GOOD, path: str = "/v1/{place}/now", **changed: Any) -> str:
    """A document whose host is the small web's."""
    return with_(document, url=site.url(path), **changed)
