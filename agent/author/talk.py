"""One request's conversation with a model, over all rounds, and what it has cost."""

from dataclasses import dataclass, field

from agent.author.tools import SPECS
from agent.ports import ProviderFailed
from agent.types import CHARS_A_TOKEN, Completion, Message, Prices, ToolSpec
from policies.load import AuthorRules
from selfedit.editing.edits import Edit
from selfedit.words import one_line

REPLY_TOKENS = 16_000
"""Longest single answer of the model, its reasoning included."""
_SHORTEST_REPLY = 1000
_MAX_RESULT = 24_000
_MAX_NOTES = 30


@dataclass
class Talk:
    """What has been said and spent. `mark` is a word that no file can know."""

    mark: str
    messages: list[Message]
    notes: list[str] = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    dollars: float = 0.0
    context: int = 0
    """Tokens of the conversation up to `counted`, as the provider counted them."""
    counted: int = 0
    model: str = ""
    silent: int = 0
    repeats: int = 0
    calls: set[tuple[str, str]] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """Edits that a trial has turned down, with what it said."""
    passed: tuple[Edit, ...] = ()
    tools: tuple[ToolSpec, ...] = SPECS

    def size(self) -> int:
        """Tokens that the next request is going to have, rather too many."""
        fresh = sum(
            len(m.text) + sum(len(c.arguments) for c in m.calls) for m in self.messages[self.counted :]
        )
        tools = 0 if self.counted else _specs_size(self.tools)
        return self.context + (fresh + tools) // CHARS_A_TOKEN

    def room(self, rules: AuthorRules, prices: Prices) -> int:
        """Tokens that the next answer may have, so that the budget holds even if it uses them all; 0 for none."""
        size = self.size()
        room = min(REPLY_TOKENS, rules.max_tokens - self.tokens - size)
        if prices.output > 0:
            left = (rules.max_dollars - self.dollars) * 1_000_000 - size * prices.input
            room = min(room, int(left / prices.output))
        return room if room >= _SHORTEST_REPLY and self.steps < rules.steps else 0

    def count(self, completion: Completion) -> None:
        """Charge an answer and take it into the conversation."""
        used = completion.usage.input + completion.usage.output
        written = len(completion.text) + sum(len(call.arguments) for call in completion.calls)
        # A server that does not count is charged by the estimate.
        used = used or self.size() + written // CHARS_A_TOKEN
        self.messages.append(completion.message)
        self.context, self.counted = used, len(self.messages)
        self.steps += 1
        self.tokens += used
        self.dollars += completion.cost
        self.model = completion.model

    def lose(self, failure: ProviderFailed) -> None:
        """Charge an answer that failed after it had begun."""
        self.tokens += failure.tokens
        self.dollars += failure.cost

    def note(self, what: str) -> None:
        """Write down what went wrong, for the reviewer."""
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(f"step {self.steps}: {one_line(what, 240)}")

    def data(self, what: str, text: str) -> str:
        """Text marked as material: the mark is new each time, so that no file can close it."""
        cut = text if len(text) <= _MAX_RESULT else text[:_MAX_RESULT] + "\n(cut off here)"
        return f'<data-{self.mark} of="{what}">\n{cut}\n</data-{self.mark}>'

    @property
    def bill(self) -> str:
        """What it has cost so far, in words."""
        answers = "1 answer" if self.steps == 1 else f"{self.steps} answers"
        return f"{answers}, {self.tokens:,} tokens, ${self.dollars:.2f}"


def _specs_size(specs: tuple[ToolSpec, ...]) -> int:
    return sum(len(spec.model_dump_json()) for spec in specs)
