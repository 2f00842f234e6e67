"""What the providers share: how long an answer may take, and a vendor's faults as sentences for people."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.types import ToolCall

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
RETRIES = 2
_TOKENS_A_SECOND = 40
_DETAIL = 240


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


def patience(max_tokens: int) -> float:
    """Seconds that a whole answer may take, retries included: longer ones get longer."""
    return max(ANSWER_SECONDS, max_tokens / _TOKENS_A_SECOND)


@contextmanager
def faults(vendor: Vendor, model: str, key: SecretStr | None) -> Iterator[None]:
    """Turn whatever an SDK raises inside into `ProviderFailed`.

    The cause is cut off on purpose: an SDK's exception carries the request with its key.
    """
    try:
        yield
    except ProviderFailed:
        raise
    except Exception as error:  # noqa: BLE001 - two SDKs, their HTTP library and odd answers: all mean "no answer"
        raise _translated(error, vendor, model, key) from None


@asynccontextmanager
async def answering(vendor: Vendor, model: str, key: SecretStr | None, seconds: float) -> AsyncIterator[None]:
    """As `faults`, and no longer than `seconds`."""
    with faults(vendor, model, key):
        async with asyncio.timeout(seconds):
            yield


def numbered(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls with ids that are there and differ, as some servers send none or the same one twice."""
    taken: set[str] = set()
    fixed = []
    for position, call in enumerate(calls):
        identity = call.id if call.id and call.id not in taken else f"{call.id or 'call'}_{position}"
        taken.add(identity)
        fixed.append(call.model_copy(update={"id": identity}))
    return tuple(fixed)


def _translated(error: Exception, vendor: Vendor, model: str, key: SecretStr | None) -> ProviderFailed:
    name = vendor.name
    status = getattr(error, "status_code", None)
    kind = type(error).__name__
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return ProviderFailed(f"{name} did not answer in time; try again in a minute.", retryable=True)
    if not isinstance(status, int):
        if "Connect" in kind or "Protocol" in kind or isinstance(error, OSError):
            return ProviderFailed(
                f"{name} cannot be reached, or broke off; check the network and {vendor.url}.", retryable=True
            )
        return ProviderFailed(f"{name} gave an answer that makes no sense ({kind}); check {vendor.url}.")
    detail = _detail(error, key)
    if status == HTTPStatus.TOO_MANY_REQUESTS and "insufficient_quota" not in detail:
        return ProviderFailed(
            f"{name} takes no more requests for now; try again in a minute.", retryable=True
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
    ):
        return ProviderFailed(
            f"{name} has trouble of its own (HTTP {status}); try again later.", retryable=True
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


def _detail(error: Exception, key: SecretStr | None) -> str:
    text = " ".join(str(error).split())
    if key is not None and (secret := key.get_secret_value()):
        text = text.replace(secret, "[key]")
    return re.sub(r"\bsk-[\w*.-]{6,}", "[key]", text)[:_DETAIL]
