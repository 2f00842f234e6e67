"""The launcher becomes the steward and takes every secret out of its environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import HANDED_OVER, ROOT, hand_over, read_env_file
from bot.settings import Settings, read_secrets

SECRETS = {name: f"canary-{number}" for number, name in enumerate(HANDED_OVER)}
STEWARD = """
import json, os, subprocess, sys
from selfedit import start
fd = int(os.environ["THESEUS_SECRETS_FD"])
print(json.dumps({
    "argv": sys.argv,
    "environ": open("/proc/self/environ", "rb").read().decode(),
    "cmdline": open("/proc/self/cmdline", "rb").read().decode(),
    "cwd": os.getcwd(),
    "twice": [os.pread(fd, 100_000, 0).decode() for _ in range(2)],
    "key": (start.take_keys(os.environ), os.environ.get("GITHUB_TOKEN"))[1],
    "again": "THESEUS_FORGE_FD" in os.environ,
    "files": [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
              and os.path.lexists(f"/proc/self/fd/{name}")],
    "child": subprocess.run(["/bin/cat", "/proc/%d/environ" % os.getpid()], capture_output=True, text=True).stdout,
}))
"""


@pytest.fixture
def told(tmp_path: Path) -> dict[str, object]:
    """What a steward that was launched finds around itself; it stands in for the real one, in a copy of the root."""
    root = tmp_path / "root"
    (root / "bot").mkdir(parents=True)
    (root / "selfedit").mkdir()
    for name in ("__init__.py", "__main__.py"):
        (root / "bot" / name).write_bytes((ROOT / "bot" / name).read_bytes())
    (root / "selfedit" / "__init__.py").touch()
    (root / "selfedit" / "start.py").write_bytes((ROOT / "selfedit" / "start.py").read_bytes())
    (root / "json.py").write_text("raise SystemExit('this is not the json that was meant')\n")
    (root / "selfedit" / "__main__.py").write_text(STEWARD)
    (root / ".env").write_text(
        "OPENAI_API_KEY=from-the-file\nANTHROPIC_API_KEY='canary-file'\nGITHUB_TOKEN=forge\n"
    )
    env = {**SECRETS, "PATH": os.environ["PATH"], "THESEUS_HOME": "/nowhere"}
    del env["ANTHROPIC_API_KEY"]
    done = subprocess.run(
        [sys.executable, "-m", "bot", "--flag"],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {**json.loads(done.stdout), "root": str(root)}


def test_the_steward_has_no_secret(told: dict[str, object]) -> None:
    """Neither environment nor arguments of the process that holds the repository show any of the bot's settings."""
    for place in ("environ", "cmdline"):
        assert "canary" not in str(told[place])
        assert not any(name in str(told[place]) for name in HANDED_OVER)


def test_a_file_in_the_root_is_no_library(told: dict[str, object]) -> None:
    """A `json.py` beside the packages takes nothing's place, neither for the launcher nor for the steward."""
    assert told["argv"]


def test_the_steward_keeps_what_is_its_own(told: dict[str, object]) -> None:
    """Arguments and where state lives go to the steward, in the repository's root."""
    environ = str(told["environ"]).split("\0")
    assert "THESEUS_HOME=/nowhere" in environ
    argv = told["argv"]
    assert isinstance(argv, list)
    assert argv[1:] == ["steward", "--flag"]
    assert told["cwd"] == told["root"]


def test_the_key_to_the_forge_is_where_no_other_process_finds_it(told: dict[str, object]) -> None:
    """The steward has it, once; neither the environment that the system shows nor an open file does."""
    assert told["key"] == "forge"
    assert not told["again"]
    assert "GITHUB_TOKEN" not in str(told["environ"]) + str(told["child"])
    assert sum("theseus" in str(name) for name in told["files"]) == 1  # type: ignore[attr-defined]  # JSON
    # ... which is what the bot is handed.


def test_the_secrets_can_be_read_again_and_again(told: dict[str, object]) -> None:
    """Each bot process that the steward starts finds all of them, the environment before the file."""
    twice = told["twice"]
    assert isinstance(twice, list)
    assert twice[0] == twice[1]
    assert json.loads(twice[0]) == SECRETS | {"ANTHROPIC_API_KEY": "canary-file"}


def test_what_is_handed_over_becomes_settings_that_do_not_show_themselves() -> None:
    """The bot reads what the launcher wrote; printing its settings shows no secret."""
    env, descriptor = hand_over(
        {"OPENAI_API_KEY": "canary", "OPENAI_MODEL": "m", "DISCORD_TOKEN": "", "PATH": "/bin"}
    )
    try:
        secrets = read_secrets(descriptor)
    finally:
        os.close(descriptor)
    settings = Settings(**{name.lower(): value for name, value in secrets.items()})  # type: ignore[arg-type]  # by name
    assert env == {"PATH": "/bin"}
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "canary"
    assert (settings.openai_model, settings.discord_token) == ("m", None)
    assert "canary" not in repr(settings)


def test_every_setting_that_is_handed_over_is_read() -> None:
    """Launcher and bot know the same names."""
    assert {name.lower() for name in HANDED_OVER} <= set(Settings.model_fields)


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"\xff"])
def test_a_hand_over_that_makes_no_sense_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Anything but an object of settings is refused."""
    file = tmp_path / "secrets"
    file.write_bytes(content)
    with file.open("rb") as opened, pytest.raises(ValueError, match="launcher"):
        read_secrets(opened.fileno())


def test_no_env_file_is_no_settings(tmp_path: Path) -> None:
    """A missing file is as good as an empty one."""
    assert read_env_file(tmp_path / ".env") == {}


def test_the_launcher_loads_next_to_nothing() -> None:
    """Becoming the steward costs none of the libraries that only the bot needs."""
    code = "import bot.__main__, sys; print([m for m in ('pydantic', 'asyncio', 'rich', 'discord') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_help_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    """Asked for help, the script names the settings that matter and ends well, before it installs anything."""
    script = tmp_path / "scripts" / "run"
    script.parent.mkdir()
    script.write_bytes((ROOT / "scripts" / "run").read_bytes())
    done = subprocess.run(
        ["bash", script, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "DISCORD_TOKEN" in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["scripts"]


def test_a_sandbox_that_there_is_not_is_refused_at_the_start(tmp_path: Path) -> None:
    """The steward does not start, and names the values that there are."""
    done = subprocess.run(
        [sys.executable, "-m", "selfedit", "steward"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "THESEUS_HOME": str(tmp_path), "THESEUS_SANDBOX": "podman"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "set it to auto, docker or bubblewrap" in done.stderr
