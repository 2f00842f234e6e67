"""A model that says what a script tells it, in process: for rehearsals and tests, where each run must be the same."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agent.ports import ProviderFailed
from agent.providers.wire import Vendor, faults, numbered, price, whole
from agent.types import Ask, Completion, Prices, ToolCall, Usage

_VENDOR = Vendor("The scripted model", key="", url="", model="")


def _cut(text: str) -> list[str]:
    """A text in a few pieces."""
    size = max(7, len(text) // 100)
    return [text[at : at + size] for at in range(0, len(text), size)]


class Use(BaseModel):
    """A tool call. Arguments given as text are sent as they are, malformed or not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, Any] | str = {}
    id: str | None = None

    @property
    def text(self) -> str:
        """The arguments as they go over the wire."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)

    @property
    def pieces(self) -> list[str]:
        """The arguments as a stream brings them."""
        return _cut(self.text)


class Turn(BaseModel):
    """What the model answers once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str = ""
    """Only for a request that contains this text."""
    times: int = 1
    """How often it may be used; 0: always."""
    text: str = ""
    calls: tuple[Use, ...] = ()
    status: int = 200
    """Another HTTP status makes the answer an error."""
    message: str = "scripted trouble"
    retry_after: float | None = 0.01
    stop: Literal["end", "tools", "length", "refused"] | None = None
    thinks: bool = False
    """Send signed reasoning, which must come back unchanged as long as the conversation goes on."""
    seconds: float = 0.0
    """Silence before the answer."""
    pace: float = 0.0
    """Seconds between two pieces."""
    break_after: int | None = None
    """Close the connection after so many pieces of text and arguments."""
    stall_after: int | None = None
    """Say nothing more after so many pieces, and keep the connection."""
    one_index: bool = False
    """All calls under the same index, each whole, as some servers do."""
    hollow: bool = False
    """An answer without any choice in it."""
    input_tokens: int = 100
    output_tokens: int = 20

    @property
    def stopped(self) -> str:
        """Why the model stops: as given, or as the content suggests."""
        return self.stop or ("tools" if self.calls else "end")

    @property
    def pieces(self) -> list[str]:
        """The text as a stream brings it."""
        return _cut(self.text)


OVER = Turn(status=400, message="the script has no turn left for this request")


class Script:
    """The turns still to come, and what was asked so far."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = list(turns)
        self._used = [0] * len(self._turns)
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests, in order."""
        self.keys: list[str] = []
        """The key that came with each request."""
        self.taken: list[Turn] = []
        """What answered each request, in the same order."""
        self.faults: list[str] = []
        """What was ill-formed."""
        self.listed: list[dict[str, Any]] | None = [{"id": "scripted-1"}]
        """The models that the server lists; None: its list fails."""
        self.lookups = 0
        self._issued = 0

    def next(self, request: dict[str, Any], key: str = "") -> Turn:
        """Record a request and take the turn that answers it."""
        self.requests.append(request)
        self.keys.append(key)
        text = json.dumps(request, ensure_ascii=False)
        for at, turn in enumerate(self._turns):
            if (turn.times == 0 or self._used[at] < turn.times) and turn.when in text:
                self._used[at] += 1
                break
        else:
            turn = OVER
        self.taken.append(turn)
        return turn

    def fault(self, what: str) -> None:
        """Record an ill-formed request."""
        self.faults.append(what)

    def identity(self, prefix: str) -> str:
        """An id that was not given before."""
        self._issued += 1
        return f"{prefix}_{self._issued:04d}"


class ScriptedModel:
    """The scripted model as a provider, without any wire."""

    def __init__(self, *turns: Turn, prices: Prices | None = None) -> None:
        self.script = Script(turns)
        self.prices = prices or Prices()
        self.closed = False

    @property
    def model(self) -> str:
        """Its name."""
        return "scripted"

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """Answer as the script says."""
        turn = self.script.next(ask.model_dump(mode="json"))
        await asyncio.sleep(turn.seconds)
        if turn.status != HTTPStatus.OK:
            raise ProviderFailed(
                f"The scripted model failed: {turn.message}.",
                retryable=turn.status == HTTPStatus.TOO_MANY_REQUESTS
                or turn.status >= HTTPStatus.INTERNAL_SERVER_ERROR,
                retry_after=turn.retry_after,
            )
        with faults(_VENDOR, self.model, None, ask, self.prices) as measure:
            if turn.hollow:
                raise ProviderFailed("The scripted model gave an empty answer; ask again.", retryable=True)
            for at, piece in enumerate(
                [*turn.pieces, *(piece for use in turn.calls for piece in use.pieces)]
            ):
                if at == turn.break_after:
                    raise ProviderFailed(
                        "The scripted model broke off in the middle of its answer.", retryable=True
                    )
                if at == turn.stall_after:
                    await asyncio.sleep(ask.seconds)
                    raise ProviderFailed("The scripted model did not answer in time.", retryable=True)
                await asyncio.sleep(turn.pace if at else 0)
                measure.take(piece)
                if at < len(turn.pieces):
                    yield piece
            calls = tuple(
                ToolCall(id=use.id or self.script.identity("call"), name=use.name, arguments=use.text)
                for use in turn.calls
            )
            usage = Usage(input=turn.input_tokens, output=turn.output_tokens)
            yield Completion.model_validate(
                {
                    "text": turn.text,
                    "calls": numbered(calls),
                    "usage": usage,
                    "stop": turn.stopped,
                    "model": self.model,
                    "cost": price(self.prices, usage, ask, measure.chars),
                }
            )

    async def complete(self, ask: Ask) -> Completion:
        """Answer as the script says, at once."""
        return await whole(self.stream(ask))

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
