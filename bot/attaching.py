"""Files that come with a message, or go along with the next one at the console: found, read, refused with a reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.guardrails.redaction import looks_secret
from agent.incoming.attached import Attachment, Unfit, look_at, shown_name, told_apart, too_large
from bot.thread import in_thread
from policies.load import AttachmentRules

AT_ONCE = 2
"""Messages whose files are fetched at the same time; each may be some megabytes."""
NONE = "none"
"""What is typed behind `/attach` to send nothing along."""


def read_file(path: str, rules: AttachmentRules) -> Attachment | Unfit:
    """A file of this machine as an attachment. Blocks."""
    name = shown_name(path)
    try:
        place = Path(path).expanduser()
        if place.is_dir():
            return Unfit(f"{name} is a folder; attach its files one by one.")
        if not place.exists():
            return Unfit(f"There is no file {path[:200]!r}; check its name, or give it from the root on.")
        if not place.is_file():
            return Unfit(f"{name} is no ordinary file, so it cannot be attached.")
        most = max(rules.text_bytes, rules.picture_bytes)
        if (size := place.stat().st_size) > most:
            return Unfit(too_large(path, size, most))
        with place.open("rb") as file:
            return look_at(name, file.read(most + 1), rules)
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Unfit(f"{name} cannot be read: {why}.")


@dataclass(slots=True)
class Pending:
    """What goes along with the next message."""

    rules: AttachmentRules
    _files: list[tuple[str, Attachment]] = field(default_factory=list)

    @property
    def paths(self) -> Sequence[str]:
        """Where the files are."""
        return [path for path, _ in self._files]

    @property
    def files(self) -> tuple[Attachment, ...]:
        """What it is."""
        return tuple(file for _, file in self._files)

    async def add(self, rest: str) -> str:
        """Do as is typed behind `/attach`; what to say of it."""
        path = rest.strip().strip("\"'")
        if path == NONE:
            self._files.clear()
            return "Nothing is attached to your next message."
        if not path:
            return self._listed()
        if len(self._files) >= self.rules.most:
            return f"{self.rules.most} files go along already, which is all that one message takes; send it first."
        file = await in_thread(lambda: read_file(path, self.rules))
        if isinstance(file, Unfit):
            return file.why
        self._files.append((path, file))
        mind = " Mind: it holds what looks like a key or a password." if looks_secret(file.text) else ""
        return (
            f"{file.about} goes along with your next message, and stays in the conversation until /forget; "
            f"/attach {NONE} takes it back.{mind}"
        )

    def take(self) -> tuple[Attachment, ...]:
        """Everything, for the message that is sent now."""
        files = told_apart(file for _, file in self._files)
        self._files.clear()
        return files

    def _listed(self) -> str:
        if not self._files:
            return "Nothing is attached. Name a file: /attach PATH"
        names = ", ".join(file.about for _, file in self._files)
        return f"Goes along with your next message: {names}. /attach {NONE} takes it back."


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that came with a message and is not read yet; `fetch` gives its bytes, or why it cannot be had."""

    name: str
    size: int
    fetch: Callable[[], Awaitable[bytes | Unfit]]


class Files:
    """Reads what comes along with messages, a few messages at a time, and looks at it beside the event loop."""

    def __init__(self, rules: AttachmentRules) -> None:
        """Begin, with nothing to read.

        Args:
            rules: What is taken.
        """
        self._rules = rules
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def look_at(self, files: Sequence[Sent]) -> tuple[tuple[Attachment, ...], Sequence[str]]:
        """The files of a message that are taken, and a sentence for each that is not."""
        if not files:
            return (), ()
        async with self._at_once:
            found = [await self._found(file) for file in files[: self._rules.most]]
        taken = told_apart(each for each in found if isinstance(each, Attachment))
        unread = [each.why for each in found if isinstance(each, Unfit)]
        if len(files) > self._rules.most:
            most = self._rules.most
            unread.append(f"I read the first {most} files of a message; send the others with another one.")
        return taken, unread

    async def _found(self, file: Sent) -> Attachment | Unfit:
        rules = self._rules
        most = max(rules.text_bytes, rules.picture_bytes)
        if file.size > most:
            return Unfit(too_large(file.name, file.size, most))
        data = await file.fetch()
        if isinstance(data, Unfit):
            return data
        return await in_thread(lambda: look_at(file.name, data, rules))
