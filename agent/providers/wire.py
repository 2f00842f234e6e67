"""What the providers share: how long an answer may take, and a vendor's faults as sentences for people."""

import asyncio
import base64
import functools
import ipaddress
import json
import math
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Generic, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from agent.models.tokens import estimate
from agent.ports import ProviderFailed
from agent.types import CHARS_A_TOKEN, Ask, Completion, Image, Prices, ToolCall, Usage

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
MAX_ANSWER_CHARS = 2_000_000
"""Beyond this, text and arguments together are no answer any more: ten times what the longest output limit gives."""
_TOKENS_A_SECOND = 40
_DETAIL = 240
_ODD = re.compile(r"[^a-zA-Z0-9_-]")
"""What stands in no name and no id of a call: vendors refuse the whole conversation for it."""
_LONGEST_NAME = 64
_LONGEST_ID = 56
"""Vendors take 64; there is room for a number that tells it from others."""
_LONGEST_WAIT = 86_400.0
"""Seconds; who says to come back later than tomorrow says nothing that helps."""
_NO_TOOLS = re.compile(
    r"support\w*\W+(?:\w+\W+){0,2}(?:tools?|functions?)\b|\b(?:tools?|function)(?: use| calling| calls)?"
    r" (?:is|are) not (?:supported|available)|tool choice requires",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(
    r"support\w*\W+(?:\w+\W+){0,2}(?:images?|vision)\b|\bimages? (?:input )?(?:is|are) not supported"
    r"|not a (?:vision|multimodal) model|required for image input",
    re.IGNORECASE,
)

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who is asked, and what people call the settings that decide it."""

    name: str
    """As in a sentence: `OpenAI`, `the model at http://localhost:8080/v1`."""
    key: str
    """Setting that holds the key."""
    url: str
    """Setting that holds the address."""
    model: str
    """Setting that holds the model's name."""


@functools.cache
def tls() -> ssl.SSLContext:
    """What is trusted over HTTPS, for all clients: reading the certificates takes long enough to do it once."""
    from httpx2 import create_ssl_context  # loaded with the first SDK

    return create_ssl_context()


def bare(address: str) -> str:
    """An address as people may read it: without the user, the password and the key that it may carry."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def on_this_machine(address: str) -> bool:
    """Whether what is sent to an address stays here."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def price(prices: Prices, usage: Usage, ask: Ask, written: int) -> float:
    """What an answer of so many characters costs, in US dollars; where the provider did not count, by an estimate."""
    counted = usage.input and (usage.output or not written)
    return prices.cost(usage if counted else reckoned(ask, written))


def reckoned(ask: Ask, written: int) -> Usage:
    """What a question and so many characters of its answer come to, where nobody counted."""
    return Usage(input=estimate(ask), output=-(-written // CHARS_A_TOKEN))


def counted(read: object, written: object) -> Usage:
    """Tokens as a server says them; none where one of both is no number, since half a count would be half a bill."""
    if isinstance(read, int) and isinstance(written, int):
        return Usage(input=read, output=written)
    return Usage()


def arguments_of(said: object) -> str:
    """A call's arguments as JSON: some servers send them as an object, or leave out what is empty."""
    if isinstance(said, str):
        return said
    return "{}" if said is None else json.dumps(said)


def patience(ask: Ask) -> float:
    """Seconds that a whole answer may take: longer ones get longer."""
    return ask.seconds or max(ANSWER_SECONDS, ask.max_tokens / _TOKENS_A_SECOND)


def due(ask: Ask) -> float:
    """When the answer has to be there, on the running loop's clock."""
    return asyncio.get_running_loop().time() + patience(ask)


class Until(Generic[_Item]):
    """Iterates over what comes in until a moment on the loop's clock; then it raises `TimeoutError`.

    Waiting is bounded item by item, because a time-out around a generator's body would go off in its reader.
    """

    def __init__(self, items: AsyncIterator[_Item], deadline: float) -> None:
        self._items = items
        self._deadline = deadline

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        async with asyncio.timeout_at(self._deadline):
            return await anext(self._items)


async def whole(pieces: AsyncGenerator[str | Completion, None]) -> Completion:
    """The completion at the end of a stream."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Completion):
                return piece
    raise ProviderFailed("The model's answer did not come to an end.", retryable=True)


class Measure:
    """How much of an answer has come in."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self.chars = 0

    def take(self, text: str) -> str:
        """Count a piece and hand it on.

        Raises:
            ProviderFailed: The answer is beyond all measure.
        """
        self.chars += len(text)
        if self.chars > MAX_ANSWER_CHARS:
            raise ProviderFailed(f"{self._vendor.name} sent far more than was asked for; check the model.")
        return text


@contextmanager
def faults(vendor: Vendor, model: str, key: SecretStr | None, ask: Ask, prices: Prices) -> Iterator[Measure]:
    """Turn whatever an SDK raises inside into `ProviderFailed`, with what had come in by then on its bill.

    The cause is cut off on purpose: an SDK's exception carries the request with its key.
    """
    measure = Measure(vendor)
    try:
        yield measure
    except Exception as error:  # noqa: BLE001 - two SDKs, their HTTP library and odd answers: all mean "no answer"
        failure = error
        if not isinstance(failure, ProviderFailed):
            failure = _translated(error, vendor, model, key, ask)
        if measure.chars:
            used = reckoned(ask, measure.chars)
            failure.tokens, failure.cost = used.input + used.output, prices.cost(used)
        raise failure from None


def broke_off(vendor: Vendor) -> ProviderFailed:
    """The stream ended before the answer did."""
    return ProviderFailed(f"{vendor.name} broke off in the middle of its answer.", retryable=True)


def no_model(vendor: Vendor, *, retryable: bool = False) -> ProviderFailed:
    """Something answers at the address, and it does not speak as a model does; retryable: it may be for a moment only."""
    return ProviderFailed(
        f"{vendor.name} answered with something else than a model would; check that {vendor.url} is the address of a "
        "model's interface, as http://localhost:8080/v1.",
        retryable=retryable,
    )


def numbered(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls with ids that are there and differ, as some servers send none or the same one twice.

    Ids and names consist of what every vendor takes: both go back with the conversation, to whoever is asked next.
    """
    taken: set[str] = set()
    fixed = []
    for position, call in enumerate(calls):
        said = _ODD.sub("_", call.id)[:_LONGEST_ID]
        identity = said if said and said not in taken else f"{said or 'call'}_{position}"
        while identity in taken:
            identity += "_"
        taken.add(identity)
        name = _ODD.sub("_", call.name)[:_LONGEST_NAME] or "unnamed"
        fixed.append(call.model_copy(update={"id": identity, "name": name}))
    return tuple(fixed)


def base64_of(image: Image) -> str:
    """A picture as it goes into JSON."""
    return base64.b64encode(image.data).decode()


def data_url(image: Image) -> str:
    """A picture as an address that holds it."""
    return f"data:{image.kind};base64,{base64_of(image)}"


def _translated(
    error: Exception, vendor: Vendor, model: str, key: SecretStr | None, ask: Ask
) -> ProviderFailed:
    name = vendor.name
    status = getattr(error, "status_code", None)
    kind = type(error).__name__
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return ProviderFailed(f"{name} did not answer in time; try again in a minute.", retryable=True)
    if not isinstance(status, int):
        if isinstance(error, OSError) or any(
            word in kind for word in ("Connect", "Protocol", "Read", "Write")
        ):
            return ProviderFailed(
                f"{name} cannot be reached, or broke off; check the network and {vendor.url}.", retryable=True
            )
        if kind == "APIError":
            return unfinished(vendor)
        return no_model(vendor)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        # Not followed: what is said would go, with the key, to whom nobody chose.
        return ProviderFailed(
            f"{name} sends callers to another address (HTTP {status}); set {vendor.url} to where it is now."
        )
    if status < HTTPStatus.BAD_REQUEST:
        # A fault that came within a stream which had begun well.
        return unfinished(vendor)
    detail = _detail(error, key)
    after = _retry_after(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS and "insufficient_quota" not in detail:
        return ProviderFailed(
            f"{name} takes no more requests for now; try again in a minute.",
            retryable=True,
            retry_after=after,
        )
    if ask.tools and _NO_TOOLS.search(detail):
        return ProviderFailed(f'{name} says that "{model}" knows no tools: {detail}', refused="tools")
    if any(message.images for message in ask.messages) and _NO_IMAGES.search(detail):
        return ProviderFailed(f'{name} says that "{model}" sees no pictures: {detail}', refused="images")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
    ):
        return ProviderFailed(
            f"{name} has trouble of its own (HTTP {status}); try again later.",
            retryable=True,
            retry_after=after,
        )
    sentences = {
        401: f"{name} does not accept the key; check {vendor.key}.",
        402: f"{name} wants to be paid first; check the account behind {vendor.key}.",
        403: f"{name} does not let this key do that; check what {vendor.key} may do.",
        404: f'{name} has no model "{model}" at this address; check {vendor.model} and {vendor.url}.',
        413: f"{name} finds the request too large; ask for less at once.",
        429: f"The account at {name} has no credit left; check the one behind {vendor.key}.",
    }
    return ProviderFailed(sentences.get(status, f"{name} refused the request (HTTP {status}): {detail}"))


def unfinished(vendor: Vendor) -> ProviderFailed:
    """The vendor says itself that its answer is not whole."""
    return ProviderFailed(f"{vendor.name} could not finish its answer; try again.", retryable=True)


def _retry_after(error: Exception) -> float | None:
    """What the headers say, in seconds: `retry-after-ms`, or `retry-after` with a number or a date."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    said = str(headers.get("retry-after", "")).strip()
    for number, unit in ((headers.get("retry-after-ms", ""), 1000), (said, 1)):
        with suppress(ValueError):
            return _sensible(float(number) / unit)
    try:
        return _sensible((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _sensible(seconds: float) -> float | None:
    """A wait that can be waited for; None for what is no number or beyond all measure."""
    return min(max(0.0, seconds), _LONGEST_WAIT) if math.isfinite(seconds) else None


def _detail(error: Exception, key: SecretStr | None) -> str:
    text = " ".join(str(error)[: 8 * _DETAIL].split())
    if key is not None and (secret := key.get_secret_value()):
        text = text.replace(secret, "[key]")
    return re.sub(r"\bsk-[\w*.-]{6,}", "[key]", text)[:_DETAIL]
