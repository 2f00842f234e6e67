"""What the bot does, whatever the surface: answers people on the live code, and the steward on the link."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol

from pydantic import BaseModel

from agent.calling.toolbox import Toolbox
from agent.guardrails.redaction import HIDDEN, whereabouts
from agent.incoming.wish import PLAIN, Wish
from agent.models.offers import NO_AUTHOR
from bot.asking import Question, read_question
from bot.control import commands as control
from bot.control.pasted import described
from bot.drafting import Bench
from bot.feature import Attachment, Brain, CommandInfo, Turn
from bot.generation import Generation, Generations, LiveError, build, canary
from bot.surface import Hear, Recall, Show, unseen
from bot.telemetry import Met, Telemetry
from bot.texts import GenerationProblem
from bot.thread import in_thread
from policies.credentials import without_credentials
from policies.decision import Decision
from policies.load import Rules
from policies.rights import Capability, Grant, Person, holders, may
from selfedit import protocol as say
from selfedit.ports import Reviser
from selfedit.types import Draft, LoadPlan, NoDraft, Plan, Stage

REQUEST_SECONDS = 300.0
"""How long one answer may take before it counts as failed."""

OpenAuthor = Callable[[], Awaitable[Reviser | NoDraft]]
"""Makes the author that drafts with a model, or says why there is none."""

log = logging.getLogger("theseus.bot")


class Mind(Recall, Protocol):
    """The kernel's way to language models; each request is lent a `Brain` of its own."""

    @property
    def missing(self) -> str | None:
        """Why no model can answer; None when one can."""

    def voice(self, toolbox: Toolbox, caller: str, conversation: str, wish: Wish = PLAIN) -> Brain:
        """What live code may use to answer somebody in a place, with the tools of its generation."""

    async def inform(self, name: str, rest: str, toolbox: Toolbox, caller: str, conversation: str) -> str:
        """Answer a command of the kernel about tools, costs, or what was said."""

    @property
    def models(self) -> Sequence[str]:
        """The models that can be asked by name."""

    def usable(self, toolbox: Toolbox, caller: str, conversation: str) -> Sequence[str]:
        """The tools that somebody may use in a place, by name."""

    def routes(self) -> str:
        """Which models were asked lately, and why, for people."""


class Bot:
    """What runs in this process, whatever the surface; satisfies `bot.surface.Theseus`."""

    def __init__(
        self, rules: Rules, brain: Mind, open_author: OpenAuthor, secrets: Sequence[str] = ()
    ) -> None:
        self.ready = asyncio.Event()
        self.peer: say.Peer | None = None
        self.hear_notice: Hear = lambda _notice: None
        self.generations = Generations()
        self.telemetry = Telemetry()
        self.met = Met()
        """What the chat service answered to requests."""
        self.grants: frozenset[Grant] = frozenset()
        """How the owner changed who may do what by the rules; the steward says it."""
        self._rules = rules
        self._brain = brain
        self._open_author = open_author
        self._secrets = tuple(secrets)
        self._author: Reviser | None = None
        self._loading = asyncio.Lock()
        self._provisional = 0
        """The proposal that has still to prove itself in what serves; 0: what serves is kept."""
        self._under_way: set[asyncio.Timeout] = set()

    @property
    def commands(self) -> Sequence[CommandInfo]:
        """Every command that works now."""
        current = self.generations.current
        return current.infos if current else control.infos()

    @property
    def kept(self) -> bool:
        """Whether the live code that serves has proved itself, so that it is not taken back by itself."""
        return not self._provisional

    @property
    def missing(self) -> str | None:
        """Why there is no language model; None when there is one."""
        return self._brain.missing

    @property
    def models(self) -> Sequence[str]:
        """The models that can be asked by name."""
        return self._brain.models

    def tools(self, author: str, conversation: str) -> Sequence[str]:
        """The tools that somebody may use in a place, by name."""
        return self._brain.usable(self._toolbox, author, conversation)

    @property
    def _toolbox(self) -> Toolbox:
        generation = self.generations.current
        return generation.toolbox if generation else Toolbox()

    @property
    def recall(self) -> Recall:
        """What is remembered of messages."""
        return self._brain

    @property
    def routes(self) -> str:
        """Which models were asked lately, and why, for people."""
        return self._brain.routes()

    async def ask(self, message: BaseModel) -> BaseModel:
        """Ask the steward. A halt first ends every answer that is under way, with the tools that it runs."""
        if isinstance(message, say.Halt):
            self._stop_all()
        if self.peer is None:
            return say.Refused(why="there is no steward to ask")
        wish = message.request if isinstance(message, say.Improve) else None
        if wish is not None and wish.goal and wish.edits is None and self.missing is not None:
            return say.Refused(why=f"{NO_AUTHOR}.")
        try:
            answer: BaseModel = await self.peer.call(message)
        except ConnectionError as error:
            return say.Refused(why=f"the steward cannot be asked: {error}")
        return answer

    async def hint(self) -> None:
        """Tell the steward that something may have changed on the forge.

        Raises:
            ConnectionError: It is not there.
        """
        peer = self.peer
        if peer is not None:
            await peer.notify(say.Hint())
        if peer is None or peer.closed.is_set():
            raise ConnectionError("there is no steward to tell")

    def discreet(self, text: str) -> str:
        """A text without this process's own keys, and without what looks like a credential."""
        return without_credentials(text, HIDDEN, self._secrets)

    @property
    def somebody_approves(self) -> bool:
        """Whether a person or a role is named who approves in chat, beside the operator."""
        named = {*holders("approve", self.grants, self._rules), *self._rules.approval.maintainers}
        return any(":" in one and not one.startswith(("console:", "github:")) for one in named)

    def may(self, capability: Capability, person: Person) -> Decision:
        """Whether somebody may do something here."""
        return may(capability, person, self.grants, self._rules)

    async def respond(
        self,
        line: str,
        author: str,
        conversation: str,
        wish: Wish = PLAIN,
        show: Show = unseen,
        *,
        hidden: Collection[str] = (),
    ) -> str:
        """Answer a line that is no control command, on the generation that serves at this moment.

        Args:
            line: What was said.
            author: Who said it, as `surface:name`.
            conversation: Stable id of the place.
            wish: How chat is to answer it, and what came along.
            show: Hears pieces of the answer while it is being written.
            hidden: Names of commands of which what answers is not told, as they are not for whoever asks.
        """
        parts = control.split(line)
        name, text = parts or (None, line.strip())
        if name == control.ATTACH:
            return "Here, files are sent with the message itself; /attach is for the console."
        if name in control.ELSEWHERE:
            return control.ELSEWHERE[name]
        if name == control.CHAT:
            asked = read_question(text, wish)
            if isinstance(asked, control.Unclear):
                return asked.why
            return await self.chat(asked, author, conversation, show)
        if name in control.TOLD:
            toolbox = self._toolbox
            if name == "tool" and author.startswith("console:"):
                text = described(text)
            told = self._brain.inform(name, text, toolbox, author, conversation)
            try:
                return (await self._in_time(told))[0]
            except Exception as error:  # noqa: BLE001 - a fault of ours ends one command, not the console
                log.error("/%s failed: %s", name, whereabouts(error))  # noqa: TRY400 - without what was said
                return f"Sorry, /{name} failed, and where it did is written down; try it in another way."
        return await self._live(name, Question(text, wish), author, conversation, show, hidden=hidden)

    async def chat(self, question: Question, author: str, conversation: str, show: Show = unseen) -> str:
        """Answer a question whose wishes are known: nothing in its words is read as a command or an option."""
        return await self._live(None, question, author, conversation, show)

    async def _live(
        self,
        name: str | None,
        question: Question,
        author: str,
        conversation: str,
        show: Show,
        *,
        hidden: Collection[str] = (),
    ) -> str:
        """Have live code answer: a command, or for None chat."""
        wish = question.wish
        generation = self.generations.current
        if generation is None:
            return control.fallback_help()
        if name is not None and name not in generation.commands:
            return control.unknown(name, [info.name for info in self.commands])
        turn = Turn(
            text=question.text,
            author=author,
            conversation=conversation,
            commands=[
                info
                for info in generation.infos
                if author.startswith("console:") or info.name not in {*control.CONSOLE_ONLY, *hidden}
            ],
            brain=self._brain.voice(generation.toolbox, author, conversation, wish),
            prompts=dict(generation.prompts),
            random=random.random,
            now=time.time(),
            attachments=[Attachment(each.name, each.kind, each.size, each.text) for each in wish.attachments],
            show=show,
        )
        began, failed = time.monotonic(), True
        try:
            reply, failed = await self._in_time(generation.respond(name, turn))
        except LiveError as error:
            log.error("a request failed: %s", whereabouts(error))  # noqa: TRY400 - without what was said
            reply = (
                f"Sorry, {error}. This is counted; /why shows what was changed last, /rollback takes it back."
            )
        finally:
            self.telemetry.record(generation.commit, time.monotonic() - began, failed=failed)
        return reply

    async def _in_time(self, work: Awaitable[str]) -> tuple[str, bool]:
        """An answer that takes no longer than it may, and that a halt ends; and whether it counts as failed."""
        deadline = asyncio.timeout(REQUEST_SECONDS)
        try:
            async with deadline:
                self._under_way.add(deadline)
                return await work, False
        except TimeoutError:
            if deadline in self._under_way:
                return f"Sorry, there was no answer within {REQUEST_SECONDS:.0f} s; try again.", True
            return "This was stopped by /halt. What it was doing has ended; ask again.", False
        finally:
            self._under_way.discard(deadline)

    def _stop_all(self) -> None:
        """End every answer that is under way, with the tools that it runs."""
        for deadline in [*self._under_way]:
            with suppress(RuntimeError):  # its time is over by itself, and what it does is being ended
                deadline.reschedule(0)
                self._under_way.discard(deadline)

    # What the steward says

    async def hear(self, body: BaseModel) -> BaseModel | None:
        """Answer the steward; whatever goes wrong is said to it, since it waits."""
        try:
            match body:
                case say.Load(plan=plan):
                    return await self._load(plan)
                case say.AskDraft():
                    return say.Drafted(result=await self._draft(body))
                case say.RightsAre(granted=granted):
                    self.grants = frozenset(one.grant for one in granted)
                    return None
                case say.Progress() | say.News():
                    if isinstance(body, say.Progress) and body.stage is Stage.KEPT:
                        self._provisional = 0 if body.number == self._provisional else self._provisional
                    self.hear_notice(body)
                    return None
                case say.Halt():
                    self._stop_all()
                    return None
        except Exception as error:
            log.exception("could not answer the steward")
            return say.Refused(why=f"a fault of the bot itself: {type(error).__name__}: {error}")
        return say.Refused(why=f"the bot does not answer to {type(body).__name__}")

    async def _load(self, plan: LoadPlan) -> BaseModel:
        async with self._loading:
            try:
                known = self.generations.known(plan)
                generation = known if known is not None else await in_thread(_bring_up, plan)
            except GenerationProblem as problem:
                log.warning("commit %s was refused: %s", plan.commit, problem)
                self.ready.set()
                return say.Refused(why=str(problem))
            began = time.perf_counter()
            changed = generation is not self.generations.current
            self.generations.swap(generation)
            self._provisional = plan.provisional
            if changed:
                self.telemetry.begin(plan.commit)
            pause = time.perf_counter() - began
            log.info("commit %s serves; the swap took %.3f ms", plan.commit, pause * 1000)
            self.ready.set()
            return say.Loaded(commit=plan.commit, blobs=dict(generation.blobs), pause_ms=pause * 1000)

    async def _draft(self, ask: say.AskDraft) -> Draft | NoDraft | Plan:
        if self._author is None:
            author = await self._open_author()
            if isinstance(author, NoDraft):
                return author
            self._author = author  # one for all rounds: it goes on with the same conversation and budget
        bench, tell = Bench(self.ask, ask), lambda text: log.info("drafting: %s", text)
        if ask.reviewed is not None:
            return await self._author.revise(ask.request, bench, ask.reviewed, ask.complaints, tell)
        return await self._author.draft(ask.request, bench, ask.complaints, tell)

    # Signs of life

    async def beat(self) -> None:
        """Tell the steward how things go, for as long as the process runs."""
        while True:
            if self.peer is not None:
                await self.peer.notify(say.Beat(heartbeat=self.telemetry.heartbeat()))
            await asyncio.sleep(self._rules.watch.heartbeat_seconds)


def _bring_up(plan: LoadPlan) -> Generation:
    """Build and try a generation, all beside the loop that serves: its canary has a loop of its own."""
    generation = build(plan)
    asyncio.run(canary(generation))
    return generation
