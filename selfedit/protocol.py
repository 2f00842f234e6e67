"""What steward and bot say to each other: JSON lines over a socket, a pydantic model a message.

Both ends are a `Peer`: each may call the other, many calls at a time, and send notices that want no
answer. An expected "no" comes back as a `Refused`; a lost connection raises `ConnectionError`.

All of it stands in this one file, whatever its length: it is the whole of what two processes have to agree on, and another
version of Theseus may stand at the other end.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from policies.decision import Finding
from policies.rights import Capability, Person
from sandbox.types import Protection
from selfedit.types import (
    Draft,
    FileDiff,
    GateReport,
    Granted,
    Heartbeat,
    LoadPlan,
    NoDraft,
    Plan,
    Proposal,
    Request,
    Reviewed,
    Stage,
    Traced,
)

LINE_LIMIT = 32 * 1024 * 1024
"""Longest message in bytes; a load plan carries the text of all live files."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FromPerson(_Message):
    """What somebody wants done, for which they need a right; the steward looks at that whatever the bot has found."""

    by: str
    """Who, as `surface:id`."""
    roles: tuple[str, ...] = ()
    """What counts for them at this moment beside who they are; see `policies.rights.Person`."""

    @property
    def who(self) -> Person:
        """Who wants it, in the terms of rights."""
        return Person(self.by, frozenset(self.roles))


# What the bot, or the operator's command line, asks of the steward


class Improve(_Message):
    """Ask for a change: words, edits, or neither. Answered by `ProposalIs` when its gate has ended."""

    kind: Literal["improve"] = "improve"
    request: Request
    roles: tuple[str, ...] = ()
    """What counts for who asks at this moment, as in `FromPerson`."""

    @property
    def who(self) -> Person:
        """Who asks, in the terms of rights."""
        return Person(self.request.requested_by, frozenset(self.roles))


class Proposals(_Message):
    """List the proposals, newest first. Answered by `ProposalsAre`."""

    kind: Literal["proposals"] = "proposals"
    limit: int = Field(default=20, ge=1, le=1000)


class Show(_Message):
    """One proposal. Answered by `ProposalIs`."""

    kind: Literal["show"] = "show"
    number: int


class Diff(_Message):
    """What a proposal changes. Answered by `DiffIs`."""

    kind: Literal["diff"] = "diff"
    number: int


class Approve(FromPerson):
    """Approve a proposal's head, merge it and bring it to life. Answered by `ProposalIs` once live."""

    kind: Literal["approve"] = "approve"
    number: int
    head: str | None = None
    """The head that was looked at; another one refuses. None: the present one (the console shows it)."""


class Reject(FromPerson):
    """Turn a proposal down. Answered by `ProposalIs`."""

    kind: Literal["reject"] = "reject"
    number: int
    why: str = ""


NO_REASON = "somebody asked for it"
"""Why something is taken back where nobody says why."""


class Rollback(FromPerson):
    """Take a merged proposal back (the newest one if no number is given). Answered by `ProposalIs`."""

    kind: Literal["rollback"] = "rollback"
    number: int | None = None
    why: str = NO_REASON


class Status(_Message):
    """How things stand. Answered by `StatusIs`."""

    kind: Literal["status"] = "status"


class Why(_Message):
    """Which definitions differ from the code before, and whose change that was. Answered by `WhyIs`."""

    kind: Literal["why"] = "why"


class Running(_Message):
    """What the bot compiled. Answered by `RunningIs`."""

    kind: Literal["running"] = "running"


class Halt(FromPerson):
    """Stop all self-editing until `Resume`, and what chat is doing; chat goes on. Answered by `Done`.

    What an operator's command line says is handed on to the bot, which answers nothing.
    """

    kind: Literal["halt"] = "halt"


class Resume(FromPerson):
    """Allow self-editing again. Answered by `Done`."""

    kind: Literal["resume"] = "resume"


class Rights(_Message):
    """Who may do what. Answered by `RightsAre`."""

    kind: Literal["rights"] = "rights"


class Grant(FromPerson):
    """Allow somebody, or whoever has a role, to do something. Answered by `RightsAre`."""

    kind: Literal["grant"] = "grant"
    to: str
    """Who, as `policies.rights.Grant` names them."""
    capability: Capability


class Withdraw(FromPerson):
    """Let somebody not do something any more. Answered by `RightsAre`."""

    kind: Literal["withdraw"] = "withdraw"
    to: str
    capability: Capability


class Trial(_Message):
    """A drafting model's wish to see its draft judged. Answered by `TrialIs`."""

    kind: Literal["trial"] = "trial"
    draft_call: str
    """The `id` of the `AskDraft` that it belongs to."""
    draft: Draft


class Quit(_Message):
    """The operator wants everything to end. Answered by `Done`; the steward then stops the bot and itself."""

    kind: Literal["quit"] = "quit"


class Beat(_Message):
    """A sign of life (a notice)."""

    kind: Literal["beat"] = "beat"
    heartbeat: Heartbeat


class Hint(_Message):
    """Something may have changed on the forge (a notice). It says no more: the steward looks for itself."""

    kind: Literal["hint"] = "hint"


# What the steward asks of the bot


class Load(_Message):
    """Swap this commit's live code in. Answered by `Loaded`, or `Refused` when the old code serves on."""

    kind: Literal["load"] = "load"
    plan: LoadPlan


class AskDraft(_Message):
    """Have the model author draft. Answered by `Drafted`; trial gates go through `Trial`."""

    kind: Literal["ask_draft"] = "ask_draft"
    id: str
    request: Request
    files: dict[str, str]
    complaints: tuple[Finding, ...] = ()
    reviewed: Reviewed | None = None
    """What is to be drafted again, where it is under review already."""


class Progress(_Message):
    """News for whoever waits for a proposal (a notice)."""

    kind: Literal["progress"] = "progress"
    number: int
    stage: Stage
    text: str
    seconds: float = 0.0
    """Since the request."""


class News(_Message):
    """Something that happened by itself: kept, taken back, restarted (a notice)."""

    kind: Literal["news"] = "news"
    text: str


# Answers


class ProposalIs(_Message):
    """A proposal as it stands now."""

    kind: Literal["proposal_is"] = "proposal_is"
    proposal: Proposal


class ProposalsAre(_Message):
    """Proposals, newest first."""

    kind: Literal["proposals_are"] = "proposals_are"
    proposals: tuple[Proposal, ...]


class DiffIs(_Message):
    """A proposal's change, a file each."""

    kind: Literal["diff_is"] = "diff_is"
    number: int
    head: str
    files: tuple[FileDiff, ...]


class StatusIs(_Message):
    """How things stand. `sandbox` says in a sentence what judges, or why nothing can."""

    kind: Literal["status_is"] = "status_is"
    running: str
    """The commit whose live code serves; empty while nothing is loaded."""
    main: str
    provisional_seconds: float | None = None
    """Seconds of watching left; None when the running code is kept."""
    halted: str = ""
    """Who halted self-editing, and when; empty when it is allowed."""
    problem: str = ""
    """Why code cannot be changed now, though nobody halted it."""
    forge: str = ""
    """Where proposals are reviewed beside chat, and whether it answers; empty where they are not."""
    forge_asked: bool = True
    """Whether it has been asked since the steward began, so that it is known whether it answers."""
    sandbox: str = ""
    protections: tuple[Protection, ...] = ()
    open: int = 0
    restarts: int = 0
    heartbeat: Heartbeat | None = None
    steward_pid: int = 0
    bot_pid: int = 0
    home: str = ""


class WhyIs(_Message):
    """What was changed by proposals in the running code."""

    kind: Literal["why_is"] = "why_is"
    running: str
    traced: tuple[Traced, ...]


class RightsAre(_Message):
    """Who may do what: said when asked, and as a notice to the bot at its start and after each change."""

    kind: Literal["rights_are"] = "rights_are"
    granted: tuple[Granted, ...] = ()
    """How the owner changed the rules' table, oldest change first."""
    holders: dict[Capability, tuple[str, ...]] = Field(default_factory=dict)
    """Who may, by the rules and those changes together."""
    maintainers: tuple[str, ...] = ()
    """Who is meant by `maintainer`: those that the rules list."""


class TrialIs(_Message):
    """What the gate said of a trial draft; `report` is None when the edits did not apply."""

    kind: Literal["trial_is"] = "trial_is"
    report: GateReport | None = None
    findings: tuple[Finding, ...] = ()


class Drafted(_Message):
    """What the model author came to."""

    kind: Literal["drafted"] = "drafted"
    result: Draft | NoDraft | Plan


class Loaded(_Message):
    """The commit serves; `blobs` maps each loaded file to the git hash of what was compiled."""

    kind: Literal["loaded"] = "loaded"
    commit: str
    blobs: dict[str, str]
    pause_ms: float
    """How long the event loop stood still for the swap itself."""


class RunningIs(_Message):
    """The commit that the bot serves and, by path, the git hash of each file that it compiled."""

    kind: Literal["running_is"] = "running_is"
    commit: str
    blobs: dict[str, str]


class Done(_Message):
    """Nothing more to say."""

    kind: Literal["done"] = "done"
    text: str = ""


class Refused(_Message):
    """An expected "no", as a sentence for people."""

    kind: Literal["refused"] = "refused"
    why: str


Message = Annotated[
    Improve
    | Proposals
    | Show
    | Diff
    | Approve
    | Reject
    | Rollback
    | Status
    | Why
    | Running
    | Halt
    | Resume
    | Rights
    | Grant
    | Withdraw
    | Trial
    | Quit
    | Beat
    | Hint
    | Load
    | AskDraft
    | Progress
    | News
    | ProposalIs
    | ProposalsAre
    | DiffIs
    | StatusIs
    | WhyIs
    | RunningIs
    | RightsAre
    | TrialIs
    | Drafted
    | Loaded
    | Done
    | Refused,
    Field(discriminator="kind"),
]


class Envelope(_Message):
    """One line: a call (`id`), its answer (`answer_to`), or a notice (neither)."""

    id: int | None = None
    answer_to: int | None = None
    body: Message


Answer = Callable[[Any], Awaitable[BaseModel | None]]
"""Answers a call, or hears a notice and returns None."""

_line: TypeAdapter[Envelope] = TypeAdapter(Envelope)


class Peer:
    """One end of the conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._jobs: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()

    async def run(self) -> None:
        """Read until the other end is gone. A line that is no message ends the conversation."""
        try:
            while line := await self._reader.readline():
                envelope = _line.validate_json(line)
                if envelope.answer_to is not None:
                    waiting = self._calls.pop(envelope.answer_to, None)
                    if waiting and not waiting.done():
                        waiting.set_result(envelope.body)
                    continue
                job = asyncio.create_task(self._serve(envelope))
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)
        except (ValidationError, ValueError, ConnectionError):
            pass  # not our protocol, an over-long line, or gone: either way the conversation is over
        finally:
            await self.close()

    async def call(self, body: BaseModel) -> Any:
        """Ask, and wait for the answer.

        Raises:
            ConnectionError: The other end went away first.
        """
        if self.closed.is_set():
            raise ConnectionError("the other process is not there")
        self._next += 1
        number = self._next
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = waiting
        try:
            await self._send(Envelope(id=number, body=body))  # type: ignore[arg-type]  # any Message
            return await waiting
        finally:
            self._calls.pop(number, None)

    async def notify(self, body: BaseModel) -> None:
        """Say something that wants no answer; lost if the other end is gone."""
        with contextlib.suppress(ConnectionError):
            await self._send(Envelope(body=body))  # type: ignore[arg-type]  # any Message

    async def close(self) -> None:
        """End the conversation; whoever waits for an answer gets `ConnectionError`."""
        if self.closed.is_set():
            return
        self.closed.set()
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the other process went away"))
        for job in self._jobs - {asyncio.current_task()}:
            job.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _serve(self, envelope: Envelope) -> None:
        answer = await self._answer(envelope.body)
        if envelope.id is not None:
            with contextlib.suppress(ConnectionError):
                await self._send(Envelope(answer_to=envelope.id, body=answer or Done()))  # type: ignore[arg-type]

    async def _send(self, envelope: Envelope) -> None:
        if self.closed.is_set():
            raise ConnectionError("the other process is not there")
        self._writer.write(envelope.model_dump_json().encode() + b"\n")
        await self._writer.drain()


async def connect(path: str, answer: Answer) -> Peer:
    """Join the conversation at a socket path.

    Raises:
        OSError: Nobody listens there.
    """
    reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
    return Peer(reader, writer, answer)
