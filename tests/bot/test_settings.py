"""What the environment says to the bot: what it refuses, and what never shows."""

import pytest

from bot.app import hidden, main
from bot.settings import SettingProblem, Settings, read_settings
from selfedit.running.bot_process import USELESS

WORDS = ("Value error", "Input should be", "interpret")
"""A library's, which are not for people."""
ADDRESS = "http://somebody:pass%20word@gw.example:8080/v1?api_key=abcdef123"


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("LOCAL_MODEL_URL", "http://[::1/v1", ""),
        ("LOCAL_MODEL_URL", "http://somebody:passw0rd@[::1/v1", "passw0rd"),
        ("OPENAI_BASE_URL", "gw.example/v1", ""),
        ("ANTHROPIC_BASE_URL", "http://gw.example:99999", ""),
        ("THESEUS_DISCORD_API", "ftp://gw.example", ""),
        ("ENABLE_TOOL_CALLING", "maybe", ""),
        ("THESEUS_HTTP", "yes", ""),
        ("THESEUS_HTTP", "127.0.0.1", ""),
        ("THESEUS_HTTP", "127.0.0.1:0", ""),
        ("THESEUS_HTTP", "70000", ""),
        ("THESEUS_HTTP", "http://127.0.0.1:8080", ""),
        ("GITHUB_REPOSITORY", "theseus", ""),
        ("GITHUB_REPOSITORY", "https://github.com/owner/name", ""),
    ],
)
def test_a_wrong_setting_is_named_and_trying_again_is_useless(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, value: str, secret: str
) -> None:
    """The process ends with the code that says so, in a sentence with the setting's name and without its value."""
    monkeypatch.setenv("THESEUS_LINK", "99")
    monkeypatch.setenv(name, value)
    assert main() == USELESS
    said = capfd.readouterr().err
    assert f"{name} is not set right" in said
    assert not any(part in said for part in WORDS)
    assert not secret or secret not in said
    with pytest.raises(SettingProblem):
        read_settings()


def test_addresses_that_are_whole_are_taken() -> None:
    """With or without a port, a user or a path."""
    for address in ("http://localhost:11434/v1", "https://api.openai.com/v1", "http://[::1]:8080", ADDRESS):
        assert Settings(local_model_url=address).local_model_url == address


def test_http_is_answered_where_the_setting_says_and_nowhere_without() -> None:
    """A port alone is one of this machine; another address has to be named."""
    assert Settings().listen is None
    for said, address in (
        ("8080", "127.0.0.1:8080"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("localhost:80", "localhost:80"),
        ("[::1]:8080", "[::1]:8080"),
        ("0.0.0.0:8080", "0.0.0.0:8080"),
    ):
        assert str(Settings(theseus_http=said).listen) == address


def test_everything_secret_is_known_as_such() -> None:
    """Keys, and what addresses carry, as written and as sent, are taken out of a text; ordinary words stay."""
    settings = Settings.model_validate(
        {"openai_api_key": "canary-key", "discord_token": "tiny", "local_model_url": ADDRESS}
    )
    text = f"somebody asks {ADDRESS} with canary-key, pass word, abcdef123 and a tiny sk-ant-api03-{'x' * 30}"
    shown = hidden(text, settings.secrets)
    for secret in ("canary-key", "pass%20word", "pass word", "abcdef123", "sk-ant"):
        assert secret not in shown
    assert shown.startswith("somebody asks http://")
    assert "a tiny" in shown
