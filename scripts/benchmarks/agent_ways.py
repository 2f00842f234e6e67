"""One turn of an assistant (two questions to a model, one tool between them), in each of the ways that are compared.

Each way runs in an environment of its own, so each imports what it stands on when it is made. All are given the same
address, instructions and tools, stream, and keep each conversation. The others do no more than they must to answer;
`Theseus` does what the bot does: arguments are validated, limits and budgets looked at, the models routed, answers
screened, every call and every turn written down in SQLite, secrets redacted.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

INSTRUCTIONS = "You are a helpful assistant. Use tools where they help, and answer in a few plain sentences."
MODEL = "bench-1"
KEY = "sk-bench"
ROUNDS = 10


class Way(Protocol):
    """A way to answer."""

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation; all that was streamed."""

    async def close(self) -> None:
        """Let go of connections and files."""


async def look_up(word: str, language: str = "English") -> str:
    """Look a word up.

    Args:
        word: the word to look up
        language: the language that it is in
    """
    return f"{word} is {word[::-1]} in {language}"


async def wait(seconds: float, who: str) -> str:
    """Wait for a while.

    Args:
        seconds: how long
        who: who waits
    """
    await asyncio.sleep(seconds)
    return f"{who} waited"


def _schema(name: str, about: str, **kinds: str) -> dict[str, Any]:
    properties = {each: {"type": kind} for each, kind in kinds.items()}
    parameters = {"type": "object", "properties": properties, "required": list(kinds)[:1]}
    return {"name": name, "description": about, "parameters": {**parameters, "additionalProperties": False}}


SCHEMAS = [
    _schema("look_up", "Look a word up.", word="string", language="string"),
    _schema("wait", "Wait for a while.", seconds="number", who="string"),
]
TOOLS: dict[str, Callable[..., Awaitable[str]]] = {"look_up": look_up, "wait": wait}


class RawChat:
    """The SDK's Chat Completions and a loop by hand, with no checks at all."""

    def __init__(self, address: str) -> None:
        self._client = import_module("openai").AsyncOpenAI(base_url=address, api_key=KEY, max_retries=0)
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._tools = [{"type": "function", "function": schema} for schema in SCHEMAS]

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation."""
        messages = self._said.setdefault(conversation, [{"role": "system", "content": INSTRUCTIONS}])
        messages.append({"role": "user", "content": text})
        heard: list[str] = []
        for _ in range(ROUNDS):
            said, calls = await self._asked(messages)
            heard += said
            messages.append({"role": "assistant", "content": "".join(said)})
            if not calls:
                return "".join(heard)
            messages[-1]["tool_calls"] = list(calls.values())
            done = await asyncio.gather(*(_run(**call["function"]) for call in calls.values()))
            for call, result in zip(calls.values(), done, strict=True):
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        return "".join(heard)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    def _request(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        counts = {"stream": True, "stream_options": {"include_usage": True}}
        return {"model": MODEL, "messages": messages, "tools": self._tools, "max_tokens": 4096, **counts}

    async def _asked(self, messages: list[dict[str, Any]]) -> tuple[list[str], dict[int, dict[str, Any]]]:
        """The pieces of one answer, and its calls by their index."""
        said: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        async for chunk in await self._client.chat.completions.create(**self._request(messages)):
            for choice in chunk.choices:
                if choice.delta.content:
                    said.append(choice.delta.content)
                for part in choice.delta.tool_calls or ():
                    function = {"name": part.function.name, "arguments": ""}
                    call = calls.setdefault(
                        part.index, {"id": part.id, "type": "function", "function": function}
                    )
                    call["function"]["arguments"] += part.function.arguments or ""
        return said, calls


class RawJson(RawChat):
    """The same loop reading the stream as plain JSON, as Theseus does: what is left is its own work."""

    async def _asked(self, messages: list[dict[str, Any]]) -> tuple[list[str], dict[int, dict[str, Any]]]:
        said: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        stream = import_module("openai").AsyncStream[object]
        async for chunk in await self._client.post(
            "/chat/completions", body=self._request(messages), cast_to=object, stream=True, stream_cls=stream
        ):
            for choice in chunk["choices"]:
                if piece := choice["delta"].get("content"):
                    said.append(piece)
                for part in choice["delta"].get("tool_calls", ()):
                    function = {"name": part["function"].get("name"), "arguments": ""}
                    call = calls.setdefault(
                        part["index"], {"id": part.get("id"), "type": "function", "function": function}
                    )
                    call["function"]["arguments"] += part["function"].get("arguments", "")
        return said, calls


class RawResponses:
    """The same by the SDK's Responses."""

    def __init__(self, address: str) -> None:
        self._client = import_module("openai").AsyncOpenAI(base_url=address, api_key=KEY, max_retries=0)
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._tools = [{"type": "function", "strict": False, **schema} for schema in SCHEMAS]

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation."""
        items = self._said.setdefault(conversation, [])
        items.append({"role": "user", "content": text})
        heard: list[str] = []
        for _ in range(ROUNDS):
            said: list[str] = []
            calls: list[Any] = []
            async for event in await self._client.responses.create(
                model=MODEL,
                input=items,
                instructions=INSTRUCTIONS,
                tools=self._tools,
                max_output_tokens=4096,
                store=False,
                stream=True,
            ):
                if event.type == "response.output_text.delta":
                    said.append(event.delta)
                elif event.type == "response.completed":
                    calls = [item for item in event.response.output if item.type == "function_call"]
            heard += said
            if said:
                items.append({"role": "assistant", "content": "".join(said)})
            if not calls:
                return "".join(heard)
            done = await asyncio.gather(*(_run(call.name, call.arguments) for call in calls))
            for call in calls:
                given = {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
                items.append({"type": "function_call", **given})
            for call, result in zip(calls, done, strict=True):
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
        return "".join(heard)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


async def _run(name: str, arguments: str) -> str:
    return await TOOLS[name](**json.loads(arguments))


class PydanticAI:
    """An `Agent` with two plain tools; it validates arguments."""

    def __init__(self, address: str) -> None:
        openai = import_module("pydantic_ai.models.openai")
        self._client = import_module("openai").AsyncOpenAI(base_url=address, api_key=KEY, max_retries=0)
        provider = import_module("pydantic_ai.providers.openai").OpenAIProvider(openai_client=self._client)
        self._agent = import_module("pydantic_ai").Agent(
            openai.OpenAIChatModel(MODEL, provider=provider),
            instructions=INSTRUCTIONS,
            tools=list(TOOLS.values()),
            model_settings={"max_tokens": 4096},
        )
        self._said: dict[str, Any] = {}

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation."""
        async with self._agent.run_stream(text, message_history=self._said.get(conversation)) as result:
            heard = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            self._said[conversation] = result.all_messages()
        return "".join(heard)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


class LangGraph:
    """A graph of a model and its tools, with the checkpointer that keeps conversations in memory."""

    def __init__(self, address: str) -> None:
        graph, prebuilt = import_module("langgraph.graph"), import_module("langgraph.prebuilt")
        made = import_module("langchain_core.tools").tool
        tools = [made(function) for function in TOOLS.values()]
        model = import_module("langchain_openai").ChatOpenAI(
            model=MODEL, base_url=address, api_key=KEY, max_retries=0, stream_usage=True, max_tokens=4096
        )
        asked = model.bind_tools(tools)
        system = import_module("langchain_core.messages").SystemMessage(INSTRUCTIONS)

        async def ask(state: Any) -> dict[str, Any]:
            return {"messages": [await asked.ainvoke([system, *state["messages"]])]}

        built = graph.StateGraph(graph.MessagesState)
        built.add_node("ask", ask)
        built.add_node("tools", prebuilt.ToolNode(tools))
        built.add_edge(graph.START, "ask")
        built.add_conditional_edges("ask", prebuilt.tools_condition)
        built.add_edge("tools", "ask")
        self._graph = built.compile(import_module("langgraph.checkpoint.memory").InMemorySaver())

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation."""
        heard: list[str] = []
        async for piece, about in self._graph.astream(
            {"messages": [("user", text)]},
            {"configurable": {"thread_id": conversation}},
            stream_mode="messages",
        ):
            if about["langgraph_node"] == "ask" and isinstance(piece.content, str):
                heard.append(piece.content)
        return "".join(heard)

    async def close(self) -> None:
        """Let go of nothing: its connections go with the process."""


class Theseus:
    """This assistant, with all that is on in the bot, over either interface."""

    def __init__(self, address: str, *, responses: bool = False) -> None:
        from pydantic import SecretStr

        from agent.chat.brain import Brain
        from agent.models.offers import Keys, Offer
        from agent.models.router import Router
        from agent.providers.openai import OpenAI
        from agent.records.turns import Turns
        from agent.tool import Context
        from agent.types import Prices
        from policies.load import load_rules
        from tests.fakes.tools import box

        rules = load_rules()
        # Budgets that last for a benchmark; they are looked at all the same.
        plenty = rules.limits.all.model_copy(update={"tokens": 10**12, "dollars": 1e9})
        budgets = dict.fromkeys(("everyone", "trusted", "maintainer", "place", "all"), plenty)
        limits = rules.limits.model_copy(update={**budgets, "asks_a_minute": 10**6})
        self._folder = tempfile.TemporaryDirectory(prefix="theseus-bench-")
        secret = SecretStr(KEY)
        if responses:
            models = Router([Offer("openai", OpenAI(MODEL, Prices(), secret, address))])
        else:
            models = Router.of(Keys(openai_api_key=secret, openai_base_url=address, openai_model=MODEL))
        turns = Turns(Path(self._folder.name, "turns.sqlite3"))
        self._brain = Brain(models, rules.model_copy(update={"limits": limits}), turns=turns, hidden=(KEY,))

        async def look_up(_context: Context, word: str, language: str = "English") -> str:
            """Look a word up."""
            return await TOOLS["look_up"](word, language)

        async def wait(_context: Context, seconds: float, who: str) -> str:
            """Wait for a while."""
            return await TOOLS["wait"](seconds, who)

        self._toolbox = box(look_up, wait)

    async def ask(self, conversation: str, text: str) -> str:
        """Answer in a conversation; somebody else asks in each."""
        voice = self._brain.voice(self._toolbox, f"discord:{conversation}", f"bench:{conversation}")
        return "".join([piece async for piece in voice.answer("", text, INSTRUCTIONS)])

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._brain.close()
        self._folder.cleanup()


def way(name: str, address: str) -> Way:
    """A way by its name."""
    match name:
        case "raw":
            return RawChat(address)
        case "raw-json":
            return RawJson(address)
        case "raw-responses":
            return RawResponses(address)
        case "pydantic_ai":
            return PydanticAI(address)
        case "langgraph":
            return LangGraph(address)
    return Theseus(address, responses=name == "theseus-responses")
