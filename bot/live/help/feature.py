"""`/help` lists the commands, `/help NAME` explains one of them."""

from bot.feature import CommandInfo, Registry, Turn


def _find(commands: list[CommandInfo], name: str) -> CommandInfo | None:
    for command in commands:
        if command.name == name:
            return command
    return None


def _explain(command: CommandInfo) -> str:
    if command.live:
        origin = "It is live code: proposals may change it."
    else:
        origin = "It belongs to the kernel: only people change it."
    return f"/{command.usage}: {command.summary}. {origin}"


def _overview(commands: list[CommandInfo], author: str) -> str:
    lines = []
    for command in commands:
        lines.append(f"- `/{command.usage}` {command.summary}")
    if author.startswith("discord:"):
        end = "Mention me to chat; in direct messages, any other line is chat."
    else:
        end = "Any other line is chat."
    return "What you can do here:\n" + "\n".join(lines) + "\n" + end


async def show_help(turn: Turn) -> str:
    """List the commands, or explain the one that is named."""
    name = turn.text.strip().removeprefix("/").lower()
    commands = sorted(turn.commands, key=lambda command: command.name)
    if not name:
        return _overview(commands, turn.author)
    command = _find(commands, name)
    if command is None:
        return f"There is no command /{name}. /help lists those that there are."
    else:
        return _explain(command)


def setup(registry: Registry) -> None:
    """Answer to /help."""
    registry.command("help", show_help, usage="help [NAME]", summary="list the commands, or explain one")
