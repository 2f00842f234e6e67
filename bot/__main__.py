"""`python -m bot`: the launcher, and, when the steward starts it, the bot.

The launcher puts the bot's secrets into a nameless file in memory and becomes the steward, with an
environment that holds none of them; only the descriptor is passed on. So the steward, which holds the
repository, never has a token or a model key in its environment, its memory or its children's. Its own keys, those to
the forge, it reads from another such file, so that the bot cannot read them where its environment is shown.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))  # the working directory comes last: no file in it is a library

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from selfedit.start import nameless, python, with_keys_apart

ROOT = Path(__file__).resolve().parent.parent
HANDED_OVER = (
    "DISCORD_TOKEN",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "LOCAL_MODEL_URL",
    "LOCAL_MODEL",
    "EXA_API_KEY",
    "GITHUB_WEBHOOK_SECRET",
)
"""The bot's own settings: secrets, and what goes with them."""


def main(args: Sequence[str]) -> int:
    """Be the bot if a steward started this process, else become the steward. Returns only as the bot."""
    if "THESEUS_LINK" in os.environ:
        from bot.app import main as run_bot  # the launcher is to load next to nothing

        return run_bot()
    return launch(args)


def launch(args: Sequence[str]) -> int:
    """Become the steward."""
    settings = read_env_file(ROOT / ".env") | dict(os.environ)
    env, descriptor = hand_over(settings)
    env["THESEUS_SECRETS_FD"] = str(descriptor)
    os.chdir(ROOT)
    env = with_keys_apart(env)
    os.execve(sys.executable, python(ROOT, "selfedit", "steward", *args), env)  # noqa: S606 - no shell is wanted


def hand_over(settings: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Move the bot's settings out of an environment.

    Returns:
        The environment without them, and an inheritable descriptor of a nameless file that holds them as JSON.
    """
    secrets = {name: settings[name] for name in HANDED_OVER if settings.get(name)}
    rest = {name: value for name, value in settings.items() if name not in HANDED_OVER}
    return rest, nameless(secrets)


def read_env_file(path: Path) -> dict[str, str]:
    """The settings in an `.env` file; none if there is no such file."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # only who has such a file pays for reading it

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
