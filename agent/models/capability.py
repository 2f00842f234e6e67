"""What a model takes: by the table, by what its server says, by its name; else it is found out by trying."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

from agent.models.catalogue import Catalogue, Known, Row
from agent.models.offers import Offer
from agent.ports import ProviderFailed
from agent.providers.compatible import Compatible
from agent.types import Ask

LIFE_SECONDS = 3600.0
"""How long a server's word on its model is good, and what was found out by trying."""
FAILED_SECONDS = 60.0
"""After a lookup that failed: it says nothing of the model, so it is soon tried again."""
LOOKUP_SECONDS = 3.0
_MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model takes, as far as anybody knows."""

    tools: Known = "unknown"
    vision: Known = "unknown"
    context: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    facts: Facts
    until: float


class Capabilities:
    """Answers what a model takes and remembers what servers said and refused."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], float]) -> None:
        self._guess = lru_cache(_MOST_KEPT)(partial(_by_name, catalogue))
        self._clock = clock
        self._said: dict[str, _Kept] = {}
        self._refused: dict[tuple[str, str], float] = {}

    async def of(self, offer: Offer) -> Facts:
        """What is known of a model; asks its server where the table does not know."""
        row = offer.row
        facts = Facts(row.tools, row.vision, row.context)
        if "unknown" in (facts.tools, facts.vision) or not facts.context:
            facts = _filled(facts, await self._server_says(offer))
        if "unknown" in (facts.tools, facts.vision):
            facts = _filled(facts, self._guess(offer.provider.model))
        now = self._clock()
        if self._refused.get((offer.name, "tools"), now) > now:
            facts = replace(facts, tools="no")
        if self._refused.get((offer.name, "images"), now) > now:
            facts = replace(facts, vision="no")
        return facts

    def learn(self, offer: Offer, refused: Literal["tools", "images"]) -> None:
        """Remember that a model refused something."""
        self._refused[offer.name, refused] = self._clock() + LIFE_SECONDS

    async def _server_says(self, offer: Offer) -> Facts:
        if not isinstance(offer.provider, Compatible):
            return Facts()
        now = self._clock()
        kept = self._said.get(offer.name)
        if kept is not None and kept.until > now:
            return kept.facts
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                facts, life = _read(await offer.provider.described()), LIFE_SECONDS
        except (ProviderFailed, TimeoutError):
            # What was known stays known; what was not is not taken for a "no".
            facts, life = (kept.facts if kept else Facts()), FAILED_SECONDS
        self._said.pop(offer.name, None)
        self._said[offer.name] = _Kept(facts, now + life)
        while len(self._said) > _MOST_KEPT:
            del self._said[
                next(iter(self._said))
            ]  # whoever asks for names that do not exist fills nothing up
        return facts


def held(ask: Ask, row: Row) -> Ask:
    """A question as the table allows it: without calls where they are switched off or have gone on too long."""
    if not ask.tools:
        return ask
    last = max((at for at, message in enumerate(ask.messages) if message.role == "user"), default=-1)
    rounds = sum(bool(message.calls) for message in ask.messages[last + 1 :])
    over = row.max_iterations is not None and rounds >= row.max_iterations
    if over or (not row.default_enabled and ask.choice == "auto"):
        return ask.model_copy(update={"choice": "none"})
    return ask


def _by_name(catalogue: Catalogue, model: str) -> Facts:
    """What a model's name alone says of it."""
    return Facts(catalogue.guess(model, "tools"), catalogue.guess(model, "vision"))


def _filled(facts: Facts, more: Facts) -> Facts:
    """What the first leaves open, from the second."""
    return Facts(
        facts.tools if facts.tools != "unknown" else more.tools,
        facts.vision if facts.vision != "unknown" else more.vision,
        facts.context or more.context,
    )


def _read(listed: dict[str, Any]) -> Facts:
    """What a list of models says, in the words of OpenRouter, vLLM and llama.cpp."""
    tools: Known = "unknown"
    vision: Known = "unknown"
    if isinstance(takes := listed.get("supported_parameters"), list):
        tools = "yes" if "tools" in takes else "no"
    architecture = listed.get("architecture")
    if isinstance(architecture, dict) and isinstance(architecture.get("input_modalities"), list):
        vision = "yes" if "image" in architecture["input_modalities"] else "no"
    meta = listed.get("meta")
    limits = [listed.get("context_length"), listed.get("max_model_len")]
    limits.append(meta.get("n_ctx") if isinstance(meta, dict) else None)
    context = next((limit for limit in limits if isinstance(limit, int) and limit > 0), 0)
    return Facts(tools, vision, context)
