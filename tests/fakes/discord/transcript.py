"""What happened on the stand-in as people would have seen it: a readable text, the same in every run.

What differs from run to run (ids, hashes, times, prices) is shown by what it is: `<time>`, `<sha>`, `N s`.
"""

import re
from collections.abc import Iterator, Sequence

from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import DM, Channel, Json, Message

_BUTTON, _ROW = 2, 1
_STEADY = (
    (re.compile(r"<t:\d+(?::\w)?>"), "<time>"),
    (re.compile(r"\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b"), "<sha>"),
    (re.compile(r"\bsha256:[0-9a-f]+"), "sha256:<digest>"),
    (re.compile(r"\b\d+(?:[.,]\d+)? ?(ms|s|seconds|MiB)\b"), r"N \1"),
    (re.compile(r"\$\d+\.\d+"), "$N"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://here"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|\+00:00)?"), "<date>"),
    (re.compile(r"\b\d{15,20}\b"), "<id>"),
)


class Transcript:
    """Writes down, scene by scene, what is new in every channel."""

    def __init__(self, server: DiscordServer, steady: Sequence[tuple[str, str]] = ()) -> None:
        """Begin with nothing.

        Args:
            server: Where it happens.
            steady: What else differs from run to run, as patterns, and what is written for it.
        """
        self._server = server
        self._more = [(re.compile(pattern, re.MULTILINE), name) for pattern, name in steady]
        self._lines: list[str] = []
        self._seen: dict[str, str] = {}
        """What each message looked like when it was last written down."""

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self._lines += ["", f"== {title}"]

    def did(self, what: str) -> None:
        """Write down what somebody did that leaves no message of theirs."""
        self._lines.append(f"* {what}")

    def look(self) -> None:
        """Write down what is new or different since the last look, channel by channel."""
        for channel in self._server.world.channels.values():
            fresh = [
                (message, text)
                for message in channel.log.values()
                if self._seen.get(message.id) != (text := self._shown(message))
            ]
            if fresh:
                self._lines.append(f"[{self._place(channel)}]")
            for message, text in fresh:
                again = "" if message.id not in self._seen else " (changed)"
                self._seen[message.id] = text
                first, *more = text.split("\n")
                self._lines.append(f"  {self._who(message)}{again}: {first}".rstrip())
                self._lines += [f"      {line}".rstrip() for line in more]

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines).strip() + "\n"

    def _place(self, channel: Channel) -> str:
        if channel.kind == DM:
            names = (user.name for user in channel.people.values() if not user.bot)
            return f"direct messages of {', '.join(names)}"
        inside = f" in #{channel.parent.name}" if channel.parent is not None else ""
        guild = channel.guild.name if channel.guild is not None else "?"
        kind = "thread " if channel.is_thread else "#"
        return f"{guild} {kind}{self._steady(channel.name)}{inside}"

    def _who(self, message: Message) -> str:
        name = message.author.name
        if message.ephemeral:
            asked = message.data.get("interaction_metadata", {}).get("user", {}).get("username", "?")
            return f"{name} (only {asked} sees it)"
        answered = message.data.get("referenced_message")
        return f"{name} (to {answered['author']['username']})" if answered else name

    def _shown(self, message: Message) -> str:
        if message.deleted:
            return "(deleted)"
        if message.loading:
            return "(is thinking)"
        if "-# writing" in message.content:
            return "(is writing)"
        parts = [message.content] if message.content else []
        parts += [line for embed in message.data["embeds"] for line in _embed(embed)]
        parts += [f"[file {one['filename']}]" for one in message.data["attachments"]]
        parts += list(_rows(message.data["components"]))
        return self._steady("\n".join(parts))

    def _steady(self, text: str) -> str:
        for user in self._server.world.users.values():
            text = text.replace(f"<@{user.id}>", f"@{user.name}")
        for channel in self._server.world.channels.values():
            text = text.replace(f"<#{channel.id}>", f"#{channel.name}")
        for pattern, name in (*_STEADY, *self._more):
            text = pattern.sub(name, text)
        return text


def _embed(embed: Json) -> Iterator[str]:
    yield f"| {embed.get('title', '')}".rstrip()
    yield from (f"|   {line}".rstrip() for line in (embed.get("description") or "").splitlines())
    for field in embed.get("fields") or ():
        yield f"| {field['name']}"
        yield from (f"|   {line}".rstrip() for line in field["value"].splitlines())
    if footer := embed.get("footer"):
        yield f"| -- {footer['text']}"


def _rows(components: list[Json]) -> Iterator[str]:
    for part in components:
        if part["type"] == _ROW:
            yield " ".join(map(_component, part["components"]))


def _component(part: Json) -> str:
    chosen = next((one["label"] for one in part.get("options") or () if one.get("default")), None)
    label = (
        part.get("label") or chosen or part.get("placeholder") or (part.get("emoji") or {}).get("name") or "?"
    )
    off = " (grey)" if part.get("disabled") else ""
    return f"[{label}{off}]" if part["type"] == _BUTTON else f"<{label}{off}>"
