"""Help names every command, and explains the one that is asked for."""

from bot.feature import CommandInfo, Turn
from bot.live.help.feature import show_help

COMMANDS = (
    CommandInfo("roll", "roll [2d6]", "roll dice", live=True),
    CommandInfo("approve", "approve N", "approve a proposal", live=False),
)


async def helped(text: str) -> str:
    return await show_help(Turn(text=text, author="console:ann", conversation="c", commands=COMMANDS))


async def test_every_command_is_listed_with_usage_and_summary() -> None:
    """Nothing that works is left out."""
    answer = await helped("")
    for command in COMMANDS:
        assert f"/{command.usage}" in answer
        assert command.summary in answer


async def test_it_is_said_how_to_chat_where_it_is_asked() -> None:
    """At the console any other line is chat; on a server of Discord only what mentions the bot is."""
    turn = Turn(text="", author="discord:7", conversation="discord:1/2", commands=COMMANDS)
    assert "Mention me to chat" in await show_help(turn)
    assert (await helped("")).endswith("Any other line is chat.")


async def test_one_command_is_explained() -> None:
    """With a name, slash or not, only that command is spoken of."""
    for text in ("roll", "/roll", " ROLL "):
        answer = await helped(text)
        assert "roll dice" in answer
        assert "approve" not in answer.split("/roll")[1].split(".")[0]


async def test_live_and_kernel_commands_can_be_told_apart() -> None:
    """Which commands proposals may change is said."""
    assert "kernel" in await helped("approve")
    assert "kernel" not in (await helped("roll")).lower()


async def test_a_name_that_is_no_command_is_said_to_be_none() -> None:
    """An unknown name is answered with where the names are listed."""
    answer = await helped("xyzzy")
    assert "xyzzy" in answer
    assert "/help" in answer
