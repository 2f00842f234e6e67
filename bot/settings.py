"""What the bot is told from outside. Secrets come from the launcher's descriptor, the rest from the environment."""

import json
import os
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingProblem(Exception):
    """A setting with which the bot cannot work, however often it is started. Its text says which."""


class Settings(BaseSettings):
    """Every setting that the bot reads; README.md lists them for people."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    discord_token: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    anthropic_model: str | None = None
    local_model_url: str | None = None
    local_model: str | None = None
    exa_api_key: SecretStr | None = None
    models_config: Path | None = None
    """What is known of models beside `agent/models/models.toml`, as `.json` or `.toml`."""
    enable_tool_calling: bool | None = None
    """Whether chat may use tools; where it is not set, `policies/rules.toml` says so."""
    theseus_home: Path = Path.home() / ".local" / "state" / "theseus"
    """Where the bot may write; the steward says it."""
    theseus_discord_api: str | None = None
    """Base address of Discord's REST API, where it is not Discord's own."""


def read_settings() -> Settings:
    """Read the environment and what the launcher handed over, and take both hand-overs out of the environment.

    Raises:
        ValueError: What was handed over cannot be read.
    """
    handed = os.environ.pop("THESEUS_SECRETS_FD", "")
    secrets = read_secrets(int(handed)) if handed else {}
    return Settings(**{name.lower(): value for name, value in secrets.items()})  # type: ignore[arg-type]  # by name


def read_secrets(descriptor: int) -> dict[str, str]:
    """What the launcher wrote, from its beginning, so that the next bot process can read it again.

    Raises:
        ValueError: The descriptor is not open, or holds something else.
    """
    try:
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        os.set_inheritable(descriptor, False)
        return dict(json.loads(data))
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"the settings that the launcher handed over cannot be read: {error}") from error
