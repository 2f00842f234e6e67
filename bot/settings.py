"""What the bot is told from outside. Secrets come from the launcher's descriptor, the rest from the environment."""

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ADDRESSES = ("openai_base_url", "anthropic_base_url", "local_model_url", "theseus_discord_api")
_SHORTEST_SECRET = 6
"""Characters; to take out fewer would take them out of ordinary words."""

_REPOSITORY = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}")
_LISTEN = re.compile(r"(?:(?P<host>[\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):)?(?P<port>\d{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Listen:
    """Where HTTP is answered."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


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
    embedded_model: bool | None = None
    """Whether the model of the extra `local` may answer; where it is not set, it may if it is installed."""
    exa_api_key: SecretStr | None = None
    models_config: Path | None = None
    """What is known of models beside `agent/models/models.toml`, as `.json` or `.toml`."""
    enable_tool_calling: bool | None = None
    """Whether chat may use tools; where it is not set, `policies/rules.toml` says so."""
    theseus_home: Path = Path.home() / ".local" / "state" / "theseus"
    """Where the bot may write; the steward says it."""
    theseus_discord_api: str | None = None
    """Base address of Discord's REST API, where it is not Discord's own."""
    theseus_discord_test_server: int | None = None
    """The id of the server that is shown new commands at once, before they are kept."""
    theseus_http: str | None = None
    """Where HTTP is answered: `127.0.0.1:8080`, or a port alone, which only this machine reaches; not set: nowhere."""
    github_webhook_secret: SecretStr | None = None
    """What GitHub signs its webhooks with."""
    github_repository: str | None = None
    """The repository on GitHub, as `owner/name`; the steward reads it as well."""

    @field_validator(*_ADDRESSES)
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and not _whole(address):
            raise ValueError("give it a whole address, as http://localhost:8080/v1")
        return address

    @field_validator("theseus_http")
    @classmethod
    def _is_place(cls, place: str | None) -> str | None:
        if place is not None and _listen(place) is None:
            raise ValueError("give it a port, as 8080, or an address with one, as 127.0.0.1:8080")
        return place

    @field_validator("github_repository")
    @classmethod
    def _is_repository(cls, repository: str | None) -> str | None:
        if repository is not None and not _REPOSITORY.fullmatch(repository):
            raise ValueError("give it as OWNER/NAME")
        return repository

    @property
    def listen(self) -> Listen | None:
        """Where HTTP is answered; None: nowhere."""
        return _listen(self.theseus_http or "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text in here that no log may show, longest first: keys, tokens, and what addresses carry of them."""
        values = [getattr(self, name) for name in type(self).model_fields]
        given = {value.get_secret_value().strip() for value in values if isinstance(value, SecretStr)}
        for name in _ADDRESSES:
            given.update(_carried(getattr(self, name) or ""))
        return tuple(sorted((one for one in given if len(one) >= _SHORTEST_SECRET), key=len, reverse=True))


def read_settings() -> Settings:
    """Read the environment and what the launcher handed over, and take both hand-overs out of the environment.

    Raises:
        SettingProblem: A setting has a value that it cannot have.
        ValueError: What was handed over cannot be read.
    """
    handed = os.environ.pop("THESEUS_SECRETS_FD", "")
    secrets = read_secrets(int(handed)) if handed else {}
    try:
        return Settings(**{name.lower(): value for name, value in secrets.items()})  # type: ignore[arg-type]  # by name
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])).upper()
        # The library's own text shows the value, which may be a secret.
        said = "set it to true or false" if first["type"].startswith("bool_") else first["msg"]
        raise SettingProblem(f"{name} is not set right: {said.removeprefix('Value error, ')}.") from None


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


def _listen(place: str) -> Listen | None:
    """Where to listen; a port alone is one of this machine."""
    found = _LISTEN.fullmatch(place.strip())
    if found is None or not 0 < int(found["port"]) <= _LAST_PORT:
        return None
    return Listen((found["host"] or "127.0.0.1").strip("[]"), int(found["port"]))


def _whole(address: str) -> bool:
    """Whether something can be asked at an address."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _carried(address: str) -> Iterator[str]:
    """What is secret in an address, as it is written and as it is sent."""
    parts = urlsplit(address)
    signed_in = parts.netloc.rpartition("@")[0]
    user, _, password = signed_in.partition(":")
    values = [pair.partition("=")[2] for pair in parts.query.split("&")]
    # A user without a password is a token; beside one it is a name, which may be an ordinary word.
    for each in (signed_in, password or user, parts.query, *values):
        yield from (each, unquote(each))
    yield b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode() if signed_in else ""
