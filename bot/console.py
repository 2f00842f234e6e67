"""The console: the same commands as on Discord, at a terminal or as plain lines in a pipe.

Lines are worked on one at a time. A line is noted on disk while it is answered, so that a bot that had to
be started again answers it once more; control commands are never repeated by themselves.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from rich.console import RenderableType
from rich.text import Text

from agent.incoming.wish import Wish
from bot.asking import Question, is_private, read_question
from bot.attaching import Pending
from bot.control.commands import ATTACH, CHAT, Unclear, parse, split
from bot.control.pasted import begins_edits, brackets
from bot.inflight import Inflight, Left
from bot.lines import MAX_LINE, Lines, TooLong
from bot.surface import Control, Theseus
from selfedit import protocol as say
from selfedit.answers import render

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from rich.console import Console as Screen
    from rich.status import Status

PATIENCE = 20.0
"""Seconds to wait for live code before lines are taken without it."""
ASK_AGAIN = 0.5
"""Seconds between questions whether GitHub has answered, after the start."""
CONVERSATION = "console"
_BEGINNING = 4_000
"""Bytes of an unfinished line that are read for whether it is private."""
WELCOME = """\
Theseus: a chat bot that improves its own code. Changes are judged in a sandbox, approved by you, and can be taken back.
Try  /help  what it can do    /improve  let it find something to improve    /status  how things stand"""


class Console:
    """One conversation with the operator."""

    def __init__(
        self,
        theseus: Theseus,
        home: Path,
        by: str,
        attachments: Pending,
        lines: Lines | None = None,
    ) -> None:
        """Put a console together.

        Args:
            theseus: What answers.
            home: Where history and the line in flight are kept.
            by: Who sits there, as `console:name`.
            attachments: What is to go along with the next message.
            lines: Where lines come from if not from the terminal or pipe of this process.
        """
        self._theseus = theseus
        self._home = home
        self._by = by
        self._control = Control(theseus)
        self._inflight = Inflight(home)
        self._lines = lines or Lines(
            begun=self._inflight.kept(), keep=lambda part: self._inflight.keep(unfinished(part))
        )
        self._attachments = attachments
        self._terminal = lines is None and sys.stdin.isatty() and sys.stdout.isatty()
        self._screen: Screen | None = None
        self._session: PromptSession[str] | None = None
        self._working: Status | None = None
        self._at_work = False
        """Whether a line is being answered, so that progress is of what it asks for."""
        self._early: str | None = None
        """A command that came where edits were to go on."""
        self._telling: asyncio.Task[None] | None = None
        """Waits for GitHub to answer, to tell of it."""

    async def run(self) -> None:
        """Work through the lines; at their end ask the steward to end everything."""
        if self._terminal:
            self._open_terminal()
        try:
            await self._begin()
            while (line := await self._next()) is not None:
                self._at_work = True
                go_on = await self._work(line)
                self._at_work = False
                if not go_on:
                    break
        except BrokenPipeError:
            pass  # nobody reads any more, which ends a console as well
        finally:
            if self._telling is not None:
                self._telling.cancel()
        await self._theseus.ask(say.Quit())

    def hear(self, notice: BaseModel) -> None:
        """Show progress and news as they come."""
        if isinstance(notice, say.Progress) and self._working is not None:
            self._working.update(render.shown(notice.text.split("\n")[0]))
        if isinstance(notice, say.News):
            self._show(Text(f"* {render.shown(notice.text)}", "magenta"))
        elif isinstance(notice, say.Progress):
            self._show(render.progress(notice, unasked=not self._at_work))
        else:
            self._show(render.answer(notice))

    # Beginning

    async def _begin(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._theseus.ready.wait(), PATIENCE)
        status = await self._theseus.ask(say.Status())
        if isinstance(status, say.StatusIs) and status.restarts:
            self._show(Text("The bot was started again."))
        else:
            model = self._theseus.missing
            self._show(
                Text(WELCOME, "bold"),
                Text(model or "A language model is set up: any line that is no command is chat."),
            )
            if isinstance(status, say.StatusIs) and status.forge:
                self._telling = asyncio.create_task(self._tell_of_forge(status))
                await asyncio.sleep(0)  # what is known already stands below the welcome
        held, left = self._inflight.held(), self._inflight.left()
        self._inflight.end()
        if left is not None:
            await self._take_up(left)
        for file in held:
            await self._attach(file)

    async def _tell_of_forge(self, status: BaseModel) -> None:
        """Say where proposals are pull requests and whether that answers, or what is missing, once it is known."""
        while isinstance(status, say.StatusIs) and not status.forge_asked:
            await asyncio.sleep(ASK_AGAIN)
            status = await self._theseus.ask(say.Status())
        if isinstance(status, say.StatusIs):
            self._show(Text(f"Pull requests: {render.shown(status.forge)}"))

    async def _take_up(self, left: Left) -> None:
        """Go on with what the last bot did not finish."""
        shown = render.shown(left.line.split("\n")[0][:80])
        if is_private(left.line):
            self._show(Text("A private question was not answered; it is not kept, so ask it again."))
        elif left.control:
            self._show(
                Text(f"{shown!r} was under way when the bot ended; /proposals shows what became of it.")
            )
        elif left.tries > 1:
            self._show(Text(f"{shown!r} could not be answered: the bot ended over it twice."))
        else:
            self._show(Text("Once more, the line that was not answered:"))
            for file in left.files:
                await self._attach(file)
            await self._answer(left.line, tries=left.tries + 1)

    # Lines

    async def _next(self) -> str | None:
        """The next whole line; pasted edits go on until their brackets close or a line is empty."""
        line, self._early = self._early, None
        line = line or await self._read("theseus> ")
        if line is None or not begins_edits(line):
            return line
        parts, depth, size = [line], brackets(line), len(line)
        while depth > 0 and size < MAX_LINE:
            more = await self._read("(edits go on; an empty line ends them) ...      ")
            if not more or not more.strip():
                break
            if more.startswith("/"):  # no line of JSON begins so: these edits stay unfinished
                self._early = more
                break
            parts.append(more)
            depth, size = depth + brackets(more), size + len(more)
        return "\n".join(parts)

    async def _read(self, prompt: str) -> str | None:
        if self._session is not None:
            from prompt_toolkit.patch_stdout import patch_stdout

            try:
                with patch_stdout(raw=True):
                    return await self._session.prompt_async(prompt)
            except (EOFError, KeyboardInterrupt):
                return None
        line = await self._lines.next()
        while isinstance(line, TooLong):
            self._show(Text(f"that line has {line.size:,} bytes and was dropped; {MAX_LINE:,} is the limit"))
            line = await self._lines.next()
        return line

    async def _work(self, line: str) -> bool:
        """Work on one line; False when it ends the conversation."""
        if not line.strip():
            return True
        asked = parse(line, self._by)
        command = split(line)
        if command is not None and command[0] == ATTACH:
            self._echo(line)
            await self._attach(command[1])
        elif isinstance(asked, Unclear):
            self._echo(line)
            self._show(Text(render.shown(asked.why), "yellow"))
        elif asked is None:
            await self._answer(line)
        elif asked.name == "quit":
            self._echo(line)
            return False
        else:
            self._inflight.begin(_short(line), control=True)
            self._echo(line)
            with self._busy(asked.name):
                parts = await self._control.carry_out(asked)
            self._show(*parts)
            self._inflight.end()
        return True

    async def _answer(self, line: str, tries: int = 1) -> None:
        # First of all: it is not in the pipe any more.
        if is_private(line):  # nothing of it is written down, so it cannot be answered once more
            self._inflight.begin(f"/{CHAT} --private", control=True)
        else:
            self._inflight.begin(line, control=False, tries=tries, files=self._attachments.paths)
        self._echo(line)
        # What is attached waits for a message that a model reads.
        files = self._attachments.take() if self._is_question(line) else ()
        self._inflight.hold(self._attachments.paths)
        with self._busy("thinking"):
            reply = await self._theseus.respond(line, self._by, CONVERSATION, Wish(attachments=files))
        self._show(Text(render.shown(reply)))
        self._inflight.end()

    async def _attach(self, rest: str) -> None:
        self._show(Text(render.shown(await self._attachments.add(rest))))
        self._inflight.hold(self._attachments.paths)

    def _is_question(self, line: str) -> bool:
        command = split(line)
        if command is None:
            return True
        waiting = Wish(attachments=self._attachments.files)
        return command[0] == CHAT and isinstance(read_question(command[1], waiting), Question)

    def _echo(self, line: str) -> None:
        if self._session is None:
            self._show(Text("\n".join(f"> {render.shown(part)}" for part in line.split("\n"))))

    # The terminal

    def _show(self, *parts: RenderableType) -> None:
        if self._screen is None:
            render.write(*parts)
        else:
            render.show(self._screen, *parts)

    @contextlib.contextmanager
    def _busy(self, what: str) -> Iterator[None]:
        if self._screen is None:
            yield
            return
        with self._screen.status(render.shown(what)) as working:
            self._working = working
            try:
                yield
            finally:
                self._working = None

    def _known(self) -> list[str]:
        """Beginnings of lines that the terminal can complete."""
        commands = [f"/{info.name}" for info in self._theseus.commands]
        return [*commands, *(f"/{CHAT} --model {name} " for name in self._theseus.models)]

    def _open_terminal(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from rich.console import Console as Screen

        _sane_terminal()
        names = WordCompleter(self._known, sentence=True)
        self._session = PromptSession(
            history=history(self._home / "history"), completer=names, complete_while_typing=False
        )
        self._screen = Screen(highlight=False)


def history(path: Path) -> "FileHistory":
    """What was typed, in a file; what is private is remembered only as long as the process runs."""
    from prompt_toolkit.history import FileHistory

    class Discreet(FileHistory):
        def store_string(self, string: str) -> None:
            """Write a line down, unless it is private."""
            if not is_private(string):
                super().store_string(string)

    return Discreet(str(path))


def unfinished(part: bytes) -> bytes:
    """The beginning of a line as it is kept; of a private one only that it is, so that what follows is private, too."""
    private = is_private(part[:_BEGINNING].decode(errors="replace"))
    return f"/{CHAT} --private ".encode() if private else part


def _short(line: str) -> str:
    """Enough of a control command to say what it was; pasted edits may be megabytes."""
    parts = split(line)
    return f"/{parts[0]} {parts[1][:200]}".strip() if parts else line[:200]


def _sane_terminal() -> None:
    """Undo what a bot that was killed in the middle of a prompt may have left behind."""
    import termios

    with contextlib.suppress(termios.error):
        mode = termios.tcgetattr(sys.stdin)
        mode[0] |= termios.ICRNL
        mode[1] |= termios.OPOST
        mode[3] |= termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN
        termios.tcsetattr(sys.stdin, termios.TCSANOW, mode)
