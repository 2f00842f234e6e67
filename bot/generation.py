"""Brings the live code of one commit to life, beside the code that runs, and swaps it in.

A generation is loaded from the text of its plan alone, under a package name of its own: never from a
file, never from a bytecode cache, and only after each text has been found to be the git blob that the
steward named. Nothing of it stays behind when the last reference to it is gone.
"""

import asyncio
import contextlib
import importlib
import itertools
import re
import sys
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.calling.toolbox import FOLDER as TOOLS
from agent.calling.toolbox import BadTool, Source, Toolbox, discover
from bot.control.commands import NAMES
from bot.control.commands import infos as control_infos
from bot.feature import CommandInfo, Respond, Turn
from bot.texts import CODE, Compiled, GenerationProblem, Texts, fault, forget, verify
from selfedit.types import LoadPlan, SourceFile

PROMPTS = "agent/live/prompts/"
AGENTS = "agents/"
"""Prompts below this are agents that may be asked."""
CANARY_SECONDS = 3.0
"""How long one synthetic turn may take."""
_count = itertools.count(1)


class LiveError(Exception):
    """Live code failed to answer a request. Its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Command:
    """A live command."""

    info: CommandInfo
    respond: Respond


class _Modules:
    """Stands for the modules of a generation: they are forgotten when nothing holds this any more."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """All live code of one commit, ready to answer."""

    commit: str
    package: str
    """The name under which its modules stand in `sys.modules` for as long as it lives."""
    commands: Mapping[str, Command]
    chat: Respond | None
    prompts: Mapping[str, str]
    toolbox: Toolbox
    """What its chat can do beside talking."""
    blobs: Mapping[str, str]
    """Git hash by path of each file that was compiled or is used as a prompt."""
    modules: _Modules
    """Shared by the generations of commits whose live code is the same."""

    @property
    def infos(self) -> tuple[CommandInfo, ...]:
        """Every command that works with this generation, the kernel's included."""
        return (*(command.info for command in self.commands.values()), *control_infos())

    async def respond(self, name: str | None, turn: Turn) -> str:
        """Have the command `name`, or for None the chat feature, answer.

        Raises:
            LiveError: It failed, whatever way it chose: an exit or an interrupt is its error, not our end.
        """
        respond = self.chat if name is None else self.commands[name].respond
        what = "chat" if name is None else f"/{name}"
        if respond is None:
            raise LiveError("no feature answers chat in the live code that is loaded; /help lists what works")
        task = asyncio.current_task()
        try:
            reply: object = await respond(turn)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            raise LiveError(f"{what} failed: {fault(error)}") from error
        if not isinstance(reply, str):
            raise LiveError(f"{what} failed: it answered with {type(reply).__name__}, not with text")
        return str.__str__(reply)  # a class of live code's own would keep that code alive


class Generations:
    """The generation that serves, and the one before it."""

    def __init__(self) -> None:
        self._pair: tuple[Generation | None, Generation | None] = (None, None)

    @property
    def current(self) -> Generation | None:
        """What serves; a request takes this once and ends on it."""
        return self._pair[0]

    def known(self, plan: LoadPlan) -> Generation | None:
        """The generation of a plan, if one of the two that are held was made of the same files."""
        blobs = {file.path: file.blob for file in _used(plan)}
        for held in self._pair:
            if held is not None and held.blobs == blobs:
                return held if held.commit == plan.commit else replace(held, commit=plan.commit)
        return None

    def swap(self, new: Generation) -> float:
        """Let another generation serve from now on: one assignment, between two events of the loop.

        Returns:
            Seconds that it took.
        """
        began = time.perf_counter()
        now, before = self._pair
        if now is None or new.modules is not now.modules:
            self._pair = (new, now)
        elif new is not now:
            self._pair = (new, before)
        return time.perf_counter() - began


def compiled(plan: LoadPlan) -> Compiled:
    """The live code of a plan, as far as it can be compiled, compiled and not run: `build` compiles what differs."""
    known: Compiled = {}
    # Whoever builds it says what is wrong with it.
    with contextlib.suppress(GenerationProblem):
        texts = Texts("", plan.commit, _code(plan), known)
        for file in filter(None, texts.modules.values()):
            with contextlib.suppress(Exception):
                texts.compiled(file)
    return known


def build(plan: LoadPlan, known: Compiled | None = None) -> Generation:
    """Compile, run and set up all live code of a plan. Blocks; call it in a thread.

    Args:
        plan: What to build.
        known: What was compiled before, and need not be again; what is compiled now is added.

    Raises:
        GenerationProblem: Something in it is not as it must be; nothing of it is left behind.
    """
    for file in plan.files:
        if file.path.startswith(CODE):
            verify(file)
    used = _used(plan)
    package = f"theseus_{plan.commit[:12]}_{next(_count)}"
    texts = Texts(package, plan.commit, _code(plan), {} if known is None else known)
    registry = _Registry()
    prompts = {
        file.path.removeprefix(PROMPTS).removesuffix(".md"): file.text
        for file in used
        if file.path.endswith(".md")
    }
    try:
        with texts.findable():
            for name in sorted(texts.modules):
                importlib.import_module(name)
        _set_up(texts, registry)
        toolbox = _tools(texts, prompts)
    except BaseException as error:  # noqa: BLE001 - whatever live code does while it is loaded ends here
        problem = error if isinstance(error, GenerationProblem) else GenerationProblem(fault(error))
        forget(package, texts.lines)
        raise problem from None
    modules = _Modules()
    generation = Generation(
        commit=plan.commit,
        package=package,
        commands=registry.commands,
        chat=registry.respond_to_chat,
        prompts=prompts,
        toolbox=toolbox,
        blobs={file.path: file.blob for file in used},
        modules=modules,
    )
    weakref.finalize(modules, forget, package, texts.lines).atexit = False
    return generation


def _code(plan: LoadPlan) -> list[SourceFile]:
    return [file for file in _used(plan) if file.path.endswith(".py")]


def _used(plan: LoadPlan) -> list[SourceFile]:
    """The files of a plan that are compiled or used as prompts."""
    return [
        file
        for file in plan.files
        if (file.path.startswith(CODE) and file.path.endswith(".py"))
        or (file.path.startswith(PROMPTS) and file.path.endswith(".md"))
    ]


async def canary(generation: Generation, seconds: float = CANARY_SECONDS) -> None:
    """Hold a short conversation with a generation that does not serve yet.

    Raises:
        GenerationProblem: A feature failed, answered nothing, or took longer than `seconds`.
    """
    commands = generation.infos
    for name in [*generation.commands, *([None] if generation.chat else [])]:
        turn = Turn(
            text="" if name else "Good morning, what can you do?",
            author="canary:canary",
            conversation="canary",
            commands=commands,
            prompts=dict(generation.prompts),
        )
        what = f"/{name}" if name else "chat"
        try:
            async with asyncio.timeout(seconds):
                reply = await generation.respond(name, turn)
        except TimeoutError:
            raise GenerationProblem(f"{what} did not answer a first message within {seconds:.0f} s") from None
        except LiveError as error:
            raise GenerationProblem(f"answering a first message, {error}") from None
        if not reply.strip():
            raise GenerationProblem(f"{what} answered a first message with nothing")


class _Registry:
    """What the features of one generation said they answer to."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}
        self.respond_to_chat: Respond | None = None
        self.problem = ""
        self.feature = ""

    def command(self, name: str, respond: Respond, *, usage: str, summary: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
            self._refuse(f"{name!r} is no name for a command; use small letters, digits and -")
        elif name in NAMES:
            self._refuse(f"/{name} belongs to the kernel; choose another name")
        elif name in self.commands:
            self._refuse(f"/{name} is taken by another feature; choose another name")
        else:
            self.commands[name] = Command(CommandInfo(name, usage, summary, live=True), respond)

    def chat(self, respond: Respond) -> None:
        if self.respond_to_chat is not None:
            self._refuse("another feature answers chat already; only one can")
        else:
            self.respond_to_chat = respond

    def _refuse(self, why: str) -> None:
        # Kept as well as raised: a feature that swallows the exception is refused all the same.
        self.problem = self.problem or f"{self.feature}: {why}"
        raise GenerationProblem(self.problem)


def _tools(texts: Texts, prompts: Mapping[str, str]) -> Toolbox:
    sources = [
        Source(file.path, file.text, sys.modules[name])
        for name, file in texts.modules.items()
        if file is not None and file.path.startswith(TOOLS)
    ]
    try:
        agents = {
            name.removeprefix(AGENTS): text for name, text in prompts.items() if name.startswith(AGENTS)
        }
        return discover(sources, agents)
    except BadTool as problem:
        raise GenerationProblem(str(problem)) from None


def _set_up(texts: Texts, registry: _Registry) -> None:
    features = sorted(
        (name, file)
        for name, file in texts.modules.items()
        if file is not None and re.fullmatch(r"bot/live/[^/]+/feature\.py", file.path)
    )
    if not features:
        raise GenerationProblem("there is no bot/live/NAME/feature.py, so nothing would answer")
    for name, file in features:
        registry.feature = file.path
        setup: object = getattr(sys.modules[name], "setup", None)
        if not callable(setup):
            raise GenerationProblem(f"{file.path}: it has no function setup(registry)")
        result: object = setup(registry)
        if result is not None:
            if asyncio.iscoroutine(result):
                result.close()
            raise GenerationProblem(
                f"{file.path}: setup(registry) must be a plain function that returns nothing"
            )
        if registry.problem:
            raise GenerationProblem(registry.problem)
