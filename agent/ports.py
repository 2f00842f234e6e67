"""The seams of the agent: what it needs of the world."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.types import Ask, Completion, Needs, Prices, Routed


class ProviderFailed(Exception):
    """A provider could not answer. Its text is a sentence for people, without secrets.

    Attributes:
        retryable: Whether the same request may work a little later (rate limit, 5xx, time-out).
        retry_after: Seconds after which the provider said to come back; None where it did not say.
        refused: What the model does not take, where that was the reason: another request may leave it out.
        tokens: What it has used all the same, as reckoned: an answer that breaks off is paid for.
        cost: The same in US dollars.
    """

    def __init__(
        self,
        text: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        refused: Literal["", "tools", "images"] = "",
        tokens: int = 0,
        cost: float = 0.0,
    ) -> None:
        super().__init__(text)
        self.retryable = retryable
        self.retry_after = retry_after
        self.refused = refused
        self.tokens = tokens
        self.cost = cost


class ModelProvider(Protocol):
    """A language model behind some vendor's interface. It asks once: retries are the router's."""

    @property
    def model(self) -> str:
        """The model's name, as the vendor spells it."""

    @property
    def prices(self) -> Prices:
        """What its tokens cost; zeros where unknown."""

    def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer's text, piece by piece, and last the whole answer with its calls and its bill.

        The pieces, joined, are the completion's text. An answer that breaks off has no completion.

        Raises:
            ProviderFailed: The provider could not be reached, refused the request, broke off, or made no sense.
        """

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer.

        Raises:
            ProviderFailed: As for `stream`.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Models(Protocol):
    """Every model that can be asked; who answers what is decided inside."""

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""

    @property
    def catalogue(self) -> Sequence["Offer"]:
        """What models there are, the one asked first in front."""

    def stream(self, ask: Ask, needs: Needs) -> AsyncGenerator[str | Routed | Completion, None]:
        """Who is asked, then the answer's pieces, and last the whole answer.

        A `Routed` comes each time a model is asked: the first choice, and each that stands in for it. Once a piece
        of text is out, a failure is final.

        Raises:
            ProviderFailed: Nobody answered, or the one who had begun broke off.
        """

    def reckoned(self, needs: Needs) -> Prices:
        """What an answer is reckoned with before it is known who gives it: nobody who is to be asked first costs more."""

    def stays(self, needs: Needs) -> bool:
        """Whether nobody elsewhere is asked: it is private, or the model that is named runs on this machine."""

    def why(self, most: int = 10) -> Sequence[Routed]:
        """The newest routes with their reasons, newest first."""

    async def close(self) -> None:
        """Let go of connections."""


class Offer(Protocol):
    """A model as people choose it."""

    @property
    def name(self) -> str:
        """`vendor/model`, as it is asked for by name."""

    @property
    def about(self) -> str:
        """What it is good at, what it takes and what it costs, in one line."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of an interface for programs."""

    method: Literal["GET", "POST"]
    url: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Got:
    """What came back: where from, its content type, and its text."""

    url: str
    kind: str
    text: str


class Unanswered(Exception):
    """What changes something was sent, and nobody knows what came of it. Its text is a sentence for people."""


class Api(Protocol):
    """The way to the net for tools that people made as data, through the address filter."""

    async def send(self, sent: Sent) -> Got:
        """Make one call.

        Raises:
            ToolRefused: The address, the pace or the answer is not allowed, and nothing was changed.
            Unanswered: It may have been changed, or not.
        """
