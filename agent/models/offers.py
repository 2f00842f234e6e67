"""Which models the settings give access to, as a list of offers.

Nothing here connects or loads an SDK; that happens at the first question.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from agent.models.catalogue import Catalogue, Row, builtin
from agent.ports import ModelProvider
from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.local import NAME, Local
from agent.providers.openai import OpenAI
from agent.providers.wire import Vendor, bare, on_this_machine

_WARN_DAYS = 60
NO_AUTHOR = (
    "no model that can write code is set up; set OPENAI_API_KEY, ANTHROPIC_API_KEY or LOCAL_MODEL_URL to one and start "
    "again. /improve without a goal, and edits by hand, need none"
)
"""Why nothing is drafted where no model is set up, or the embedded one alone, which only talks."""
_UNKNOWN = Row()


class Keys(BaseModel):
    """What the settings say about models. An empty text counts as not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    anthropic_model: str | None = None
    local_model_url: str | None = None
    local_model: str | None = None
    embedded_model: bool = False
    """The extra `local` is installed, and nothing is said against using it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be asked.

    Attributes:
        vendor: `openai`, `anthropic`, `local` (one's own server), `server` (another address) or
            `embedded`.
        provider: Who asks it.
        row: What the table knows of it.
        private: What it is told stays on this machine.
        offered: It may be asked without being named.
    """

    vendor: str
    provider: ModelProvider
    row: Row = _UNKNOWN
    private: bool = False
    offered: bool = True

    @property
    def name(self) -> str:
        """`vendor/model`, as it is asked for by name."""
        return f"{self.vendor}/{self.model}"

    @property
    def model(self) -> str:
        """The model's name as people read it: servers that run a file name it with its whole path."""
        model = self.provider.model
        return PurePath(model).stem if model.endswith(".gguf") else model

    @property
    def about(self) -> str:
        """What it is good at, what it takes and what it costs, in one line."""
        says = [f"good at {', '.join(self.row.good_at)}"] if self.row.good_at else []
        says += [] if self.row.vision == "unknown" else [f"pictures: {self.row.vision}"]
        says += [] if self.row.tools == "unknown" else [f"tools: {self.row.tools}"]
        says += [f"{self.row.context:,} tokens"] if self.row.context else []
        prices = self.provider.prices
        guess = "" if prices.known else "price unknown, reckoned with "
        says += [f"{guess}${prices.input:g} in, ${prices.output:g} out a million"] if prices.output else []
        says += ["on this machine"] if self.private else []
        says += ["only talks: no tools, no code, and often wrong"] if self.row.only_talks else []
        says += [f"ends {self.row.ends.isoformat()}"] if self.row.ends else []
        return "; ".join(says) or "nothing known of it"


def choose(keys: Keys, catalogue: Catalogue | None = None) -> list[Offer]:
    """Every model that the settings give access to, the one to ask first in front.

    | set                                    | asked                                             |
    |----------------------------------------|---------------------------------------------------|
    | LOCAL_MODEL_URL                        | that server, over Chat Completions                |
    | OPENAI_API_KEY                         | OpenAI, over Responses                            |
    | OPENAI_BASE_URL at another host        | that server, over Chat Completions, key or no key |
    | ANTHROPIC_API_KEY                      | Anthropic (at ANTHROPIC_BASE_URL), over Messages  |
    | nothing, and the extra is installed    | the embedded model, in a process of its own       |

    One's own server comes first: whoever runs one wants it used, and it costs nothing. Of a vendor, only the model
    is asked that a setting names; where none does, the table's default, and the others where they fit better. The
    embedded model is beside others only for whoever names it, and for what must not leave this machine.
    """
    table = catalogue or builtin()
    chosen: list[Offer] = []
    if keys.local_model_url:
        own = Compatible(keys.local_model_url, model=keys.local_model or "")
        row = table.row(keys.local_model or "")
        chosen.append(Offer("local", own, row, private=on_this_machine(keys.local_model_url)))
    if keys.openai_base_url and not _official(keys.openai_base_url):
        chosen.append(_elsewhere(keys, table, keys.openai_base_url))
    elif _given(keys.openai_api_key):
        secret = cast("SecretStr", keys.openai_api_key)
        chosen += [
            Offer(
                "openai",
                OpenAI(model, row.paid, secret, keys.openai_base_url or None),
                row,
                offered=offered,
            )
            for model, row, offered in _models(table, "openai", keys.openai_model)
        ]
    if _given(keys.anthropic_api_key):
        secret = cast("SecretStr", keys.anthropic_api_key)
        chosen += [
            Offer(
                "anthropic",
                Anthropic(model, row.paid, secret, keys.anthropic_base_url or None),
                row,
                offered=offered,
            )
            for model, row, offered in _models(table, "anthropic", keys.anthropic_model)
        ]
    if keys.embedded_model:
        chosen.append(Offer("embedded", Local(), table.row(NAME), private=True, offered=not chosen))
    return chosen


def missing(keys: Keys) -> str | None:
    """Why no model can be asked, and what works without one; None where one can."""
    if choose(keys):
        return None
    return (
        "No language model is set up: set OPENAI_API_KEY, ANTHROPIC_API_KEY or LOCAL_MODEL_URL "
        "(in the environment or in .env) and start again; `scripts/setup local` gets a small one that needs no key, and "
        "talks a little. Without one, commands work (/help lists them), "
        "/improve without a goal finds improvements by itself, and edits by hand go through the same gate."
    )


def endings(offers: Sequence[Offer], today: date) -> list[str]:
    """What the operator has to know of models that are asked and soon gone, one sentence each."""
    said = []
    for offer in offers:
        ends = offer.row.ends
        if ends is None or not offer.offered or (ends - today).days > _WARN_DAYS:
            continue
        setting = {"openai": "OPENAI_MODEL", "anthropic": "ANTHROPIC_MODEL"}.get(offer.vendor, "LOCAL_MODEL")
        when = f"has ended on {ends}" if ends < today else f"ends on {ends}"
        said.append(f"The model {offer.provider.model} {when}; set {setting} to another one.")
    return said


def limits(offers: Sequence[Offer]) -> list[str]:
    """What the operator has to know of models that do less than people expect, one sentence each."""
    return [
        f"Chat is answered by {offer.name}, on this machine and for nothing: so small a model talks and is often wrong, "
        "uses no tools and writes no code. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or LOCAL_MODEL_URL to one that can."
        for offer in offers
        if offer.offered and offer.row.only_talks
    ]


def _models(table: Catalogue, vendor: str, named: str | None) -> Iterator[tuple[str, Row, bool]]:
    """A vendor's models, with whether they may be asked without being named."""
    offered = [named] if named else table.offered(vendor)
    for model in offered:
        yield model, table.row(model), True
    for model, row in table.models.items():
        if row.vendor == vendor and model not in offered:
            yield model, row, False


def _elsewhere(keys: Keys, table: Catalogue, address: str) -> Offer:
    model = keys.openai_model or table.defaults.openai
    vendor = Vendor(f"The model at {bare(address)}", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
    row = table.row(model)
    here = on_this_machine(address)
    provider = Compatible(
        address,
        model=model,
        prices=row.prices if here else row.paid,
        key=keys.openai_api_key if _given(keys.openai_api_key) else None,
        vendor=vendor,
    )
    return Offer("server", provider, row, private=here)


def _given(key: SecretStr | None) -> bool:
    return key is not None and bool(key.get_secret_value().strip())


def _official(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")
