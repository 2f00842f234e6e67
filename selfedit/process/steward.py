"""The steward process: starts, watches, restarts and ends the bot, and serves its operator over a socket.

Never here: a model key, a Discord token, a line of live code.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Sequence

from pydantic import BaseModel

from policies.health import Judgement
from policies.load import RulesProblem
from sandbox.choose import sweep
from sandbox.types import SandboxUnavailable
from selfedit import protocol as say
from selfedit.commands import GitFailed
from selfedit.forge.github.settings import SettingsProblem
from selfedit.history.ledger import LedgerProblem
from selfedit.history.signing import SigningProblem
from selfedit.home import AlreadyRunning, HomeProblem, RepoLock, socket_path
from selfedit.process.desk import Desk
from selfedit.process.place import Place, wished_sandbox
from selfedit.repo import Repo, RepoProblem
from selfedit.running.bot_process import USELESS, BotProcess
from selfedit.start import python, take_keys, with_keys_apart
from selfedit.types import Heartbeat, Proposal

log = logging.getLogger("theseus.steward")

LOOK_EVERY = 2.0
"""Seconds between looks at whether people moved the live branch."""
LONGEST_PAY_DELAY = 60.0
"""Seconds between tries to take back what could not be."""
STANDSTILL = 1.0
"""Seconds without a turn of our own after which the machine stood still (it slept, or was moved), not the bot alone."""
PARDON = 5.0
"""For so many seconds after a standstill nobody is blamed for having been silent or slow."""
LAST_SECONDS = 2.0
"""What was asked for and is under way has so long to end when the steward does."""


class Steward:
    """One run of the steward, from lock to release."""

    def __init__(self, place: Place, bot_argv: Sequence[str]) -> None:
        self.place = place
        self._rules = place.rules
        self._bot = BotProcess(bot_argv, place.root, place.home, place.rules.watch, self._hear)
        self._clients: set[say.Peer] = set()
        self._tellings: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[BaseModel | None]] = set()
        """What was asked for goes on when who asked for it hangs up."""
        self._ending = asyncio.Event()
        self._exit_code = 0
        self._suspects: dict[int, int] = {}
        """Per provisional proposal, how often the bot was killed from outside while it was watched."""
        self._told_of = ""
        """The state of the live branch that people were last told is being judged."""
        self._to_restart = False
        self._turn = time.monotonic()
        self._pardoned_until = 0.0
        self._pay_at, self._pay_delay = 0.0, LOOK_EVERY
        self._loop: asyncio.AbstractEventLoop | None = None
        self.desk = Desk(place, self._bot, self._spread)

    async def run(self) -> int:
        """Serve until told to end; the exit code."""
        self._loop = loop = asyncio.get_running_loop()
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)):
            loop.add_signal_handler(number, self._end, code)
        self.desk.record.write("started", pid=os.getpid())
        sweeping = asyncio.create_task(sweep(self.place.owner))
        with contextlib.suppress(GitFailed, RepoProblem):  # looked at again every two seconds
            await self.desk.mainline.settle()
        path = socket_path(self.place.home)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path, limit=say.LINE_LIMIT)
        path.chmod(0o600)
        jobs = [asyncio.create_task(job) for job in self._jobs()]
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait([ending, *jobs[:2]], return_when=asyncio.FIRST_COMPLETED)
            for job in jobs[:2]:
                if job.done() and not job.cancelled() and (error := job.exception()):
                    raise error
        finally:
            self._ending.set()
            server.close()
            if self._work:  # a merge is done in a moment; a draft is taken up, or ended, at the next start
                await asyncio.wait(self._work, timeout=LAST_SECONDS)
            work = tuple(self._work)
            for job in jobs:
                job.cancel()
            for asked in work:
                asked.cancel()
            await asyncio.gather(*jobs, *work, sweeping, return_exceptions=True)
            await self._bot.stop()
            for client in list(self._clients):
                await client.close()
            path.unlink(missing_ok=True)
            with contextlib.suppress(LedgerProblem):
                self.desk.record.write("stopped", pid=os.getpid(), code=self._exit_code)
            await self.desk.close()
        return self._exit_code

    def _jobs(self) -> tuple[Coroutine[None, None, None], ...]:
        jobs = self._supervise(), self._look(), self.desk.pipeline.resume(), self._carry_rows_on()
        return (*jobs, self.desk.reconciler.run()) if self.desk.reconciler is not None else jobs

    @property
    def wants_restart(self) -> bool:
        """Whether it ended because kernel code on the live branch changed, and should be started anew."""
        return self._to_restart

    def _end(self, code: int = 0) -> None:
        self._exit_code = code
        self._ending.set()

    # Conversations

    async def _hear(self, body: BaseModel) -> BaseModel | None:
        """What the bot says: heartbeats, and what people ask through it."""
        if isinstance(body, say.Beat):
            await self._beat(body.heartbeat)
            return None
        if isinstance(body, say.Hint):
            if self.desk.reconciler is not None:
                self.desk.reconciler.wake()
            return None
        return await self._answer(body)

    async def _answer_operator(self, body: BaseModel) -> BaseModel | None:
        """What a command line says.

        The bot hears of its halt as well, so that what chat is doing ends; nobody waits for one that does not listen.
        """
        if isinstance(body, say.Halt):
            self._tell(self._bot.notify(body))
        return await self._answer(body)

    async def _answer(self, body: BaseModel) -> BaseModel | None:
        if isinstance(body, say.Quit):
            asyncio.get_running_loop().call_later(0.05, self._end)  # let the answer leave first
            return say.Done()
        try:
            task = asyncio.create_task(self.desk.answer(body))
            self._work.add(task)
            task.add_done_callback(self._done)
            answer = await asyncio.shield(task)
        except (GitFailed, RepoProblem, LedgerProblem, OSError) as error:
            answer = say.Refused(why=str(error))
        except Exception as error:
            log.exception("a question could not be answered")
            answer = say.Refused(why=f"a fault of Theseus itself: {type(error).__name__}: {error}")
        await asyncio.sleep(0)
        if self._tellings:  # what was told before comes first
            await asyncio.wait(self._tellings, timeout=1.0)
        return answer

    def _done(self, task: asyncio.Task[BaseModel | None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.debug("a question ended in an error, which was answered", exc_info=error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = say.Peer(reader, writer, self._answer_operator)
        self._clients.add(peer)
        try:
            await peer.run()
        finally:
            self._clients.discard(peer)

    def _spread(self, notice: BaseModel) -> None:
        """Tell everybody who listens; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell_all, notice)

    def _tell_all(self, notice: BaseModel) -> None:
        async def tell() -> None:
            await self._bot.notify(notice)
            for client in list(self._clients):
                await client.notify(notice)

        self._tell(tell())

    def _tell(self, telling: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(telling)
        self._tellings.add(task)
        task.add_done_callback(self._tellings.discard)

    def _news(self, text: str) -> None:
        self._spread(say.News(text=text))

    # Watching

    async def _beat(self, heartbeat: Heartbeat) -> None:
        self._bot.beat(heartbeat)
        if self._stood_still():
            heartbeat = heartbeat.model_copy(update={"lag_ms": 0.0})
        judgement, why = self.desk.watch.beat(heartbeat)
        if judgement is Judgement.KEEP:
            for number in self.desk.serving.keep(heartbeat.commit):
                self._news(f"proposal {number} has proved itself and is kept")
        elif judgement is Judgement.REVERT and (proposal := self.desk.serving.provisional()):
            await self._take_back(proposal, why)

    def _stood_still(self) -> bool:
        """Whether this process had no turn for long, just now: then what the bot missed is not its fault."""
        now = time.monotonic()
        if now - self._turn > STANDSTILL:
            self._pardoned_until = now + PARDON
        self._turn = now
        return now < self._pardoned_until

    async def _take_back(self, proposal: Proposal, why: str) -> None:
        answer = await self.desk.mainline.condemn(proposal.number, why)
        if isinstance(answer, Proposal):
            self._news(f"proposal {proposal.number} was taken back: {why}")
        else:
            self._news(f"proposal {proposal.number} should be taken back ({why}), but: {answer.why}")

    # The bot's life

    async def _supervise(self) -> None:
        failures = 0
        while not self._ending.is_set():
            began = time.monotonic()
            await self._bot.start()
            reason, self_inflicted = await self._one_life()
            await self._bot.close()
            if self._bot.exit_code == USELESS:
                self._end(1)
            if self._ending.is_set():
                return
            self.desk.restarts += 1
            with contextlib.suppress(LedgerProblem):  # chat goes on where nothing can be written
                self.desk.record.write("bot_ended", why=reason)
            proposal = self.desk.serving.provisional()
            if proposal is not None and self._guilty(proposal, self_inflicted=self_inflicted):
                await self._take_back(proposal, f"with it the bot ended: {reason}")
                failures = 0
            steady = time.monotonic() - began > self._rules.restart.steady_seconds
            failures = 1 if steady else failures + 1
            if failures > self._rules.restart.attempts:
                sys.stderr.write(
                    f"Theseus ends: the bot ended {failures} times in a row, last because {reason}." + "\n"
                )
                self._end(1)
                return
            sys.stderr.write(f"The bot ended ({reason}); starting it again." + "\n")
            delay = self._rules.restart.first_delay_seconds * 2 ** (failures - 1)
            await asyncio.sleep(min(delay, self._rules.restart.longest_delay_seconds))

    def _guilty(self, proposal: Proposal, *, self_inflicted: bool) -> bool:
        """Whether a proposal under watch is to blame: at once if the bot ended by itself, else the second time."""
        self._suspects[proposal.number] = self._suspects.get(proposal.number, 0) + 1
        return self_inflicted or self._suspects[proposal.number] > 1

    async def _one_life(self) -> tuple[str, bool]:
        """From start to end of one bot process: why it ended, and whether that was its own doing."""
        loading = asyncio.create_task(self._load_when_up())
        self._turn = time.monotonic()
        try:
            while not self._bot.has_ended():
                if self._stood_still():
                    self._bot.pardon()
                patience = (
                    self._rules.watch.silence_seconds
                    if self._bot.heartbeat
                    else self._rules.watch.start_seconds
                )
                if self._bot.silence > patience:
                    self._bot.kill(f"it gave no sign of life for {patience:.0f} s")
                await asyncio.sleep(0.1)
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
        code = await self._bot.ended()
        if self._bot.misdeed:
            return self._bot.misdeed, True
        if code < 0:
            name = signal.Signals(-code).name
            return f"it was ended by {name}", name not in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
        return f"it exited with code {code}", True

    async def _load_when_up(self) -> None:
        await self._bot.up.wait()
        await self._bot.notify(self.desk.rights())  # before live code answers anybody
        serving = self.desk.serving
        problem = await serving.load()
        while problem and not self._bot.has_ended() and (proposal := serving.provisional()):
            await self._take_back(proposal, f"it could not be loaded: {problem}")
            problem = None if self._bot.running else await serving.load()
        if problem and not self._bot.has_ended():
            self._news(f"the live code could not be loaded: {problem}")

    # Looking after things

    async def _look(self) -> None:
        """Notice what happens beside us: people's commits, and moves of ours that were held up."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(GitFailed, RepoProblem, LedgerProblem):
                if self.desk.mainline.unsettled:
                    await self.desk.mainline.settle()
                self.desk.serving.note_live(self._bot.running)
                await self._pay()
                if self.desk.mainline.kernel_moved:
                    self._news("with that the kernel changed as well; Theseus starts again")
                    self._restart()
                await self._look_at_main()

    async def _carry_rows_on(self) -> None:
        """Ask for the next part of a larger goal when the one before is kept; drafting it takes its time."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.desk.rows.look()
            except (GitFailed, RepoProblem, LedgerProblem) as error:
                log.warning("the parts of a larger goal could not be carried on: %s", error)
            except Exception:  # tried again: a row must not end because of what one look met
                log.exception("the parts of a larger goal could not be carried on")

    async def _pay(self) -> None:
        """Take back what is owed to be; where it cannot be yet, ask less and less often."""
        owed, now = dict(self.desk.record.owed), time.monotonic()
        if not owed or now < self._pay_at:
            return
        paid = await self.desk.mainline.pay()
        for number in paid:
            self._news(f"proposal {number} was taken back: {owed[number]}")
        self._pay_delay = LOOK_EVERY if paid else min(2 * self._pay_delay, LONGEST_PAY_DELAY)
        self._pay_at = now + self._pay_delay

    async def _look_at_main(self) -> None:
        main, before = self.desk.repo.main(), self.desk.record.newest
        if main == before or self.desk.record.pending:
            self.desk.adoption = self._told_of = ""
            return
        why = self.desk.mainline.hindrance()
        if why is None:
            if self._told_of != main:
                self._news(f"{self.desk.repo.branch} has new commits by people ({main[:12]}); judging them")
            self._told_of = main
            why = await self.desk.mainline.adopt()
        if why and why != self.desk.adoption:
            self._news(why)
        self.desk.adoption = why or ""
        if why is None:
            if self.desk.reconciler is not None:  # what came after them waited for this
                self.desk.reconciler.wake()
            self._news("the commits by people passed and are live")
            live = self._rules.zones.live
            if any(not change.path.startswith(live) for change in self.desk.repo.changes(before, main)):
                self._restart()
            else:
                await self.desk.serving.load()

    def _restart(self) -> None:
        self._to_restart = True
        self._end()


def main(argv: Sequence[str]) -> int:
    """Run the steward for the repository around the working directory; `argv` goes on to the bot."""
    lock: RepoLock | None = None
    take_keys(os.environ)
    environ = dict(os.environ)  # a steward that starts anew needs what this one takes out of its own
    try:
        wished_sandbox()  # a wrong wish is said now, not with the first proposal
        place = Place.here()
        lock = RepoLock(Repo(place.root, place.rules.repo.branch).common_dir)
        lock.acquire()
        steward = Steward(place, python(place.root, "bot", *argv))
        code = asyncio.run(steward.run())
    except (
        AlreadyRunning,
        HomeProblem,
        RepoProblem,
        RulesProblem,
        SettingsProblem,
        SigningProblem,
        LedgerProblem,
        PermissionError,
        SandboxUnavailable,
    ) as error:
        sys.stderr.write(f"Theseus cannot start: {error}" + "\n")
        return 1
    finally:
        if lock is not None:
            lock.release()
    if steward.wants_restart:
        command = python(steward.place.root, "selfedit", "steward", *argv)
        os.execve(command[0], command, with_keys_apart(environ))  # noqa: S606 - our own program
    return code
