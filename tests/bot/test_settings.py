"""What the environment says to the bot: what it refuses, and what never shows."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.app import hidden, main
from bot.settings import SettingProblem, Settings, read_settings
from selfedit.bot_process import USELESS

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://somebody:pass%20word@gw.example:8080/v1?api_key=abcdef123"
LOGS = """
import logging, sys
from pathlib import Path

import httpx2

from bot.app import log_to

address, key, home = sys.argv[1:]
log_to(Path(home), [key])
client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200)))
client.get(address)
log = logging.getLogger("theseus.some")
log.info("asked with %s", key)
try:
    raise ValueError(f"no good: {key}")
except ValueError:
    log.exception("failed")
"""


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("LOCAL_MODEL_URL", "http://[::1/v1", ""),
        ("LOCAL_MODEL_URL", "http://somebody:passw0rd@[::1/v1", "passw0rd"),
        ("OPENAI_BASE_URL", "gw.example/v1", ""),
        ("ANTHROPIC_BASE_URL", "http://gw.example:99999", ""),
        ("THESEUS_DISCORD_API", "ftp://gw.example", ""),
        ("ENABLE_TOOL_CALLING", "maybe", ""),
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
    assert not secret or secret not in said
    with pytest.raises(SettingProblem):
        read_settings()


def test_addresses_that_are_whole_are_taken() -> None:
    """With or without a port, a user or a path."""
    for address in ("http://localhost:11434/v1", "https://api.openai.com/v1", "http://[::1]:8080", ADDRESS):
        assert Settings(local_model_url=address).local_model_url == address


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


def test_the_log_holds_no_secret(tmp_path: Path) -> None:
    """Neither requests of libraries nor messages nor tracebacks bring a secret into the log."""
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-c", LOGS, ADDRESS, "canary-key", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    log = (home / "bot.log").read_text(encoding="utf-8")
    assert "asked with (hidden)" in log
    assert "no good: (hidden)" in log
    assert "gw.example" not in log
