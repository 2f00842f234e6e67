"""Tools for a model that has none: it is made to answer with one JSON object that is either text or a call."""

import json
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from agent.ports import ModelProvider, ProviderFailed
from agent.types import Ask, Completion, Message, Prices, ToolCall, ToolSpec

_HOW = (
    'Answer with one JSON object and nothing else. To say something: {"text": "..."}. '
    'To use a tool: {"tool": "NAME", "arguments": {...}}; you will be told its result. The tools:\n'
)
NO_CALL = "The model was to use a tool, and how cannot be read off its answer; ask again, or without tools."
"""What people read in place of half a form, and of a call that was asked for and never came."""
_FORM = re.compile(
    r'\s*(?:```(?:json)?\s*)?\{\s*(?:"(?:tool|text)"|"(?:t(?:o(?:ol?)?|e(?:xt?)?)?)?\Z|\Z)', re.IGNORECASE
)
"""How a reply begins that was to be the form and is none."""
_CUT_CALL = re.compile(r'\s*\{\s*"tool"\s*:\s*"(\w+)"\s*,\s*"arguments"\s*:\s*(.*)', re.DOTALL)
_CUT_TEXT = re.compile(r'\s*\{\s*"text"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
"""How a reply begins that was cut off for its length."""


class Constrained:
    """A provider whose model gets its tools by a schema that its reply has to satisfy.

    The server holds the model to the schema where it can (`response_format`); where it does not know how, the
    instructions alone have to do. What comes back is a well-formed call of a tool that was offered, or text.
    """

    def __init__(self, provider: ModelProvider) -> None:
        self._provider = provider
        self._schemas = True

    @property
    def model(self) -> str:
        """The model's name."""
        return self._provider.model

    @property
    def prices(self) -> Prices:
        """What its tokens cost."""
        return self._provider.prices

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer's text in one piece, if there is any, then the whole of it."""
        answer = await self.complete(ask)
        if answer.text:
            yield answer.text
        yield answer

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        tools = _offered(ask)
        plain = ask.model_copy(
            update={"tools": (), "choice": "auto", "messages": _plain(ask.messages, tools)}
        )
        if not tools:
            return await self._provider.complete(plain)
        schema = _schema(tools, text=ask.choice == "auto")
        try:
            answer = await self._provider.complete(
                plain.model_copy(update={"format": schema if self._schemas else {}})
            )
        except ProviderFailed as failure:
            if not self._schemas or failure.retryable or "format" not in str(failure):
                raise
            self._schemas = False
            answer = await self._provider.complete(plain)
        read = _read(answer, tools)
        if read.calls or not (ask.choice != "auto" or (read is answer and _FORM.match(read.text))):
            return read
        return read.model_copy(update={"text": NO_CALL})

    async def close(self) -> None:
        """Let go of connections."""
        await self._provider.close()


def _offered(ask: Ask) -> Sequence[ToolSpec]:
    if ask.choice in ("auto", "required"):
        return ask.tools
    return [tool for tool in ask.tools if tool.name == ask.choice]


def _schema(tools: Sequence[ToolSpec], *, text: bool) -> dict[str, Any]:
    forms = [_form({"tool": {"const": tool.name}, "arguments": tool.parameters}) for tool in tools]
    if text:
        forms.insert(0, _form({"text": {"type": "string"}}))
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _plain(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Message, ...]:
    """The conversation without calls: they and their results are told as text."""
    told = [Message(role="system", text=_HOW + "\n".join(map(_told, tools)))] if tools else []
    names = {call.id: call.name for message in messages for call in message.calls}
    for message in messages:
        said = _as_text(message, names)
        if told and told[-1].role == said.role == "user":
            before = told.pop()
            images = before.images + said.images
            said = Message(role="user", text=f"{before.text}\n\n{said.text}", images=images)
        told.append(said)
    # Some templates know one system message only.
    system = "\n\n".join(message.text for message in told if message.role == "system")
    rest = [message for message in told if message.role != "system"]
    return tuple([Message(role="system", text=system), *rest] if system else rest)


def _as_text(message: Message, names: Mapping[str, str]) -> Message:
    if message.role == "tool":
        name = names.get(message.call_id or "", "the tool")
        return Message(role="user", text=f"The result of {name}:\n{message.text}")
    if message.calls:
        calls = [{"tool": call.name, "arguments": call.arguments} for call in message.calls]
        return Message(
            role="assistant", text="\n".join(filter(None, [message.text, *map(json.dumps, calls)]))
        )
    return message


def _told(tool: ToolSpec) -> str:
    return f"{tool.name}: {tool.description} Arguments: {json.dumps(tool.parameters)}"


def _read(answer: Completion, tools: Sequence[ToolSpec]) -> Completion:
    """The reply as text or call; whatever is neither is the very same answer."""
    try:
        said = json.loads(_unfenced(answer.text))
    except (ValueError, RecursionError):
        return _cut(answer, tools) if answer.stop == "length" else answer
    if not isinstance(said, dict):
        return answer
    name, arguments = str(said.get("tool")), said.get("arguments")
    if any(name == tool.name for tool in tools) and isinstance(arguments, dict):
        return _called(answer, name, json.dumps(arguments), "tools")
    if isinstance(said.get("text"), str):
        return answer.model_copy(update={"text": said["text"]})
    return answer


def _cut(answer: Completion, tools: Sequence[ToolSpec]) -> Completion:
    """A reply that was cut off as the call or the text that it began to be; nobody runs half a call."""
    if (found := _CUT_CALL.match(answer.text)) and any(found[1] == tool.name for tool in tools):
        return _called(answer, found[1], found[2], "length")
    if found := _CUT_TEXT.match(answer.text):
        try:
            return answer.model_copy(update={"text": str(json.loads(f'"{found[1]}"', strict=False))})
        except ValueError:
            return answer.model_copy(update={"text": found[1]})
    return answer


def _called(answer: Completion, name: str, arguments: str, stop: str) -> Completion:
    call = ToolCall(id=f"call_{secrets.token_hex(6)}", name=name, arguments=arguments)
    return answer.model_copy(update={"text": "", "calls": (call,), "stop": stop})


def _unfenced(text: str) -> str:
    """The text between a code fence, in which small models like to put JSON."""
    found = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    return found.group(1) if found else text
