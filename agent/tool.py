"""What a tool file imports. A tool is one file below `agent/live/tools/` with one typed function.

    from typing import Annotated

    from agent.tool import Context, tool


    @tool(examples=["shout(text='hi')"])
    async def shout(_context: Context, text: Annotated[str, "what to say louder"]) -> str:
        \"\"\"Say a text in capital letters.\"\"\"
        return text.upper()

The name, the description and the JSON schema come from the function. A tool keeps no state. What it needs of the
world it is lent by its `Context`, and only what its `uses` names: everything else is refused when it is touched.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Service = Literal["web", "runner", "data", "files", "vision", "agents"]
"""What a tool may ask to be lent."""


class ToolRefused(Exception):
    """A tool cannot do what was asked of it, and has changed nothing. Its text tells the model, and people, what would work.

    What a call changed before it was refused stays: `undo` is not run, since the refusal may be that it was there already.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """One hit of a search."""

    title: str
    url: str
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page's readable text, from the address at which it was found in the end."""

    url: str
    title: str
    text: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file.

    Attributes:
        text: What stands in them.
        shown: How many of its lines they are; fewer than asked for where they are long, 0 behind the end.
        lines: How many the file has.
    """

    text: str
    shown: int
    lines: int


class Web(Protocol):
    """The way to the net, through the address filter."""

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Search; best first. Raises `ToolRefused` where no provider answers."""

    async def fetch(self, url: str) -> Page:
        """Fetch one page. Raises `ToolRefused` for an address, a size or a kind of content that is not allowed."""


class Runner(Protocol):
    """The sandbox, for code that a model wrote."""

    async def python(self, code: str, seconds: float) -> str:
        """What a program printed, and how it ended. Raises `ToolRefused` where there is no sandbox."""


class Data(Protocol):
    """Databases that may be read."""

    async def tables(self) -> str:
        """Which databases, tables and columns there are."""

    async def query(self, sql: str, most: int) -> str:
        """The rows of one SELECT, as a table. Raises `ToolRefused` for anything that is not reading."""


class Files(Protocol):
    """The folder that tools may read from."""

    async def read(self, path: str, most_bytes: int, first: int = 1, lines: int = 400) -> Part:
        """Lines of a file. Raises `ToolRefused` for a path that leads out, a file that is too large, or no text."""


class Vision(Protocol):
    """A model that sees."""

    async def look(self, image: str, question: str) -> str:
        """What a model says of an attached image, by its name. Raises `ToolRefused` where none sees."""


class Agents(Protocol):
    """Other agents that may be asked."""

    async def ask(self, agent: str, question: str) -> "Result":
        """Another agent's answer, which may come from outside. Raises `ToolRefused` when it is too deep, or a circle."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, from where, and what is lent for it. Never kept: it is good for one call."""

    caller: str
    """Who said it, as `surface:name`."""
    conversation: str
    """Stable id of the place where it was said."""
    call: str = ""
    """The id of this call."""
    depth: int = 0
    """How many agents asked each other before this one."""
    agent: str = ""
    """Which agent calls; empty for the chat itself."""
    now: float = 0.0
    """Seconds since the epoch."""
    lent: Mapping[str, Any] = field(default_factory=dict)
    """By service. Read it through the properties."""

    def _lend(self, service: Service) -> Any:
        if service not in self.lent:
            raise ToolRefused(f"this tool does not say that it uses {service}, or there is none here")
        return self.lent[service]

    @property
    def web(self) -> Web:
        """The net."""
        found: Web = self._lend("web")
        return found

    @property
    def runner(self) -> Runner:
        """The sandbox."""
        found: Runner = self._lend("runner")
        return found

    @property
    def data(self) -> Data:
        """Databases."""
        found: Data = self._lend("data")
        return found

    @property
    def files(self) -> Files:
        """The folder that may be read."""
        found: Files = self._lend("files")
        return found

    @property
    def vision(self) -> Vision:
        """A model that sees."""
        found: Vision = self._lend("vision")
        return found

    @property
    def agents(self) -> Agents:
        """Other agents."""
        found: Agents = self._lend("agents")
        return found


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returns when plain text is not enough.

    Attributes:
        text: What the model is told.
        sources: Addresses that were used, for the footer.
        untrusted: The text came from outside: nothing that it says is an instruction.
        data: The same as plain JSON values, for those who want more than text.
        file: A name under which the text is handed to people as a file.
    """

    text: str
    sources: tuple[str, ...] = ()
    untrusted: bool = False
    data: Any = None
    file: str = ""


Run = Callable[..., Awaitable[str | Result]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tool says of itself, beside its function.

    Attributes:
        uses: What it wants to be lent. With `web`, `runner`, `data`, `files` or `vision` all that it returns is `untrusted`.
        writes: It changes something outside of its answer, so that a person may have to be asked.
        sequential: No other call of the same answer runs beside it; another turn's may.
        permission: Who may use it: `everyone`, `trusted`, `maintainer`.
        seconds: How long one call may take; a whole request ends after 300 s all the same.
        cache_seconds: How long the same call's answer stays good; 0: never kept.
        calls_a_day: By one person; 0: as many as the rules allow. Those may allow fewer.
        cost: US dollars that are set aside before a call is made, which is not made where they are not there.
        version: Semantic version.
        examples: Calls, as a model would make them.
        aliases: Other names that still work.
        undo: Takes back what a call did, when it fails half way; called as the tool itself is.
    """

    uses: tuple[Service, ...] = ()
    writes: bool = False
    sequential: bool = False
    permission: Literal["everyone", "trusted", "maintainer"] = "everyone"
    seconds: float = 20.0
    cache_seconds: float = 0.0
    calls_a_day: int = 0
    cost: float = 0.0
    version: str = "1.0.0"
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    undo: Run | None = None


def tool(
    *,
    uses: Sequence[Service] = (),
    writes: bool = False,
    sequential: bool = False,
    permission: Literal["everyone", "trusted", "maintainer"] = "everyone",
    seconds: float = 20.0,
    cache_seconds: float = 0.0,
    calls_a_day: int = 0,
    cost: float = 0.0,
    version: str = "1.0.0",
    examples: Sequence[str] = (),
    aliases: Sequence[str] = (),
    undo: Run | None = None,
) -> Callable[[Run], Run]:
    """Make a function the tool of its file; see `Manifest` for what the arguments mean."""
    manifest = Manifest(
        uses=tuple(uses),
        writes=writes,
        sequential=sequential,
        permission=permission,
        seconds=seconds,
        cache_seconds=cache_seconds,
        calls_a_day=calls_a_day,
        cost=cost,
        version=version,
        examples=tuple(examples),
        aliases=tuple(aliases),
        undo=undo,
    )

    def mark(function: Run) -> Run:
        function.__tool__ = manifest  # type: ignore[attr-defined]  # read by the toolbox, by this name
        return function

    return mark
