"""The vocabulary of talking to models: no SDK's object crosses these shapes."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CHARS_A_TOKEN = 3
"""Where nobody counts tokens; fewer than the truth, so that an estimate is rather too high."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_Value):
    """A model's wish to use a tool. `arguments` is the raw JSON text: it may be malformed."""

    id: str
    name: str
    arguments: str


class Image(_Value):
    """A picture that a model is shown."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    kind: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: bytes


class Message(_Value):
    """One message of a conversation.

    `tool` messages answer the call named by `call_id`; `assistant` messages may carry `calls`.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    native: str = ""
    """For `assistant` messages: the `native` of the completion that it was."""
    images: tuple[Image, ...] = ()
    """For `user` messages, beside their text."""


class ToolSpec(_Value):
    """A tool as a model is told of it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class Ask(_Value):
    """One request to a model.

    Attributes:
        messages: The conversation; `system` messages first.
        tools: What the model may call.
        max_tokens: The longest answer.
        choice: `auto`, `none` (answer without tools), `required` (call some tool), or the name of the tool to call.
            Where calls stand in the conversation, `none` is the way to end it: vendors want to see the tools again.
        format: A JSON schema that the answer's text has to satisfy; empty: any text.
        seconds: How long the whole answer may take; 0: as its length suggests.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = Field(default=4096, gt=0)
    choice: str = "auto"
    format: dict[str, Any] = {}
    seconds: float = Field(default=0.0, ge=0)


class Needs(_Value):
    """What a question needs of the model that answers it."""

    complex: bool = False
    code: bool = False
    vision: bool = False
    safety: bool = False
    private: bool = False
    """It must not leave this machine."""
    moderation: bool = False
    cheap: bool = False
    tools: bool = False
    context: int = 0
    """Tokens that it comes to, rather too many."""
    combine: bool = False
    """Two models answer side by side, without tools, and what they say is put together."""
    model: str = ""
    """A model that was asked for by name, as `vendor/model` or `model`; empty: any."""
    why: str = ""
    """Where these needs come from, in words; whoever asks for the route reads it."""


MOST_TOKENS = 10**9
"""No answer comes to more: who counts more does not count."""


class Usage(_Value):
    """Tokens as the provider counted them; none where what it says makes no sense."""

    input: int = Field(default=0, ge=0, le=MOST_TOKENS)
    output: int = Field(default=0, ge=0, le=MOST_TOKENS)

    @model_validator(mode="before")
    @classmethod
    def _sensible(cls, said: Any) -> Any:
        """A count below nothing would make room in a budget, a senseless one fill it: both are as good as none."""
        numbers = said.values() if isinstance(said, dict) else ()
        return (
            said if all(0 <= each <= MOST_TOKENS for each in numbers if isinstance(each, int | float)) else {}
        )


class Prices(_Value):
    """US dollars per million tokens."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)
    known: bool = True
    """False: nobody knows them, and they are reckoned with rather too high."""

    def cost(self, usage: Usage) -> float:
        """What a usage costs, in US dollars."""
        return (usage.input * self.input + usage.output * self.output) / 1_000_000


RECKONED = Prices(input=5.0, output=25.0, known=False)
"""What an answer is reckoned with before it is known who gives it, and where nobody knows a model's price: no model that
is asked unless named costs more, by the list prices in `models.toml`."""


def dearest(prices: Iterable[Prices]) -> Prices:
    """Prices that none of these is above, and at least what is reckoned with anyway."""
    every = [RECKONED, *prices]
    return Prices(input=max(each.input for each in every), output=max(each.output for each in every))


class Routed(_Value):
    """Which model is asked now, and why."""

    vendor: str
    model: str
    why: str
    prices: Prices | None = None
    """What its tokens cost; None: nobody said."""


class Completion(_Value):
    """A model's whole answer."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    stop: Literal["end", "tools", "length", "refused"] = "end"
    model: str = ""
    cost: float = 0.0
    """US dollars at list price, by an estimate where the provider did not count; 0 where no price is known."""
    native: str = ""
    """The vendor's own record of the answer, as JSON, which it wants to see again unchanged in the next request
    (signed reasoning). Only the provider that wrote it reads it."""

    @property
    def message(self) -> Message:
        """The answer as the conversation's next message."""
        return Message(role="assistant", text=self.text, calls=self.calls, native=self.native)
