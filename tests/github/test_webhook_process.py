"""The HTTP surface of a bot process: handed its secret, kept out of logs, and no reason for chat to end."""

import asyncio
import contextlib
import json
import os
from pathlib import Path

from aiohttp import ClientSession

from bot.__main__ import hand_over
from bot.api.frame import application, serving
from bot.api.serve import serve_http
from bot.app import hidden
from bot.settings import Listen, Settings, read_secrets
from tests.github.webhooks import REPOSITORY, SECRET, Sent, said


def _settings(home: Path) -> Settings:
    return Settings.model_validate(
        {"theseus_home": home, "github_webhook_secret": SECRET, "github_repository": REPOSITORY}
    )


def test_the_secret_goes_to_the_bot_alone_and_the_repository_to_both() -> None:
    """The launcher takes the webhook's secret out of what the steward gets, and leaves it the repository's name."""
    given = {
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": "t",
        "PATH": "/bin",
    }
    left, descriptor = hand_over(given)
    handed = read_secrets(descriptor)
    os.close(descriptor)
    assert handed == {"GITHUB_WEBHOOK_SECRET": SECRET}
    assert left == {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": "t", "PATH": "/bin"}


def test_the_secret_stands_in_no_log(tmp_path: Path) -> None:
    """It is taken out of whatever is written."""
    assert SECRET not in hidden(f"it is {SECRET}", _settings(tmp_path).secrets)


async def test_it_is_up_for_as_long_as_the_process_runs(tmp_path: Path) -> None:
    """Deliveries reach the steward by way of the process's own parts, and the port is free again at the end."""
    hints: asyncio.Queue[None] = asyncio.Queue()

    async def hint() -> None:
        hints.put_nowait(None)

    async with serving(Listen("127.0.0.1", 0), application([])) as port:
        pass
    here = Listen("127.0.0.1", port)
    sentences: list[str] = []
    running = asyncio.create_task(
        serve_http(here, _settings(tmp_path), "main", serves=lambda: True, hint=hint, say=sentences.append)
    )
    sent = Sent.of(said())
    async with ClientSession() as session:
        while True:
            with contextlib.suppress(OSError):
                async with session.post(
                    f"http://{here}/webhooks/github", data=sent.body, headers=sent.headers
                ) as answer:
                    assert json.loads(await answer.text()) == {"status": "accepted"}
                    break
            await asyncio.sleep(0)
    await hints.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not sentences
    async with serving(here, application([])):
        pass


async def test_where_the_port_is_taken_or_the_home_is_no_folder_it_says_so_and_ends(tmp_path: Path) -> None:
    """Nothing is raised, so that chat goes on; the operator hears one sentence."""
    sentences: list[str] = []

    async def hint() -> None:
        raise AssertionError

    async def tried(listen: Listen, home: Path) -> str:
        await serve_http(
            listen, _settings(home), "main", serves=lambda: True, hint=hint, say=sentences.append
        )
        [sentence] = sentences
        sentences.clear()
        return sentence

    async with serving(Listen("127.0.0.1", 0), application([])) as port:
        assert "THESEUS_HTTP" in await tried(Listen("127.0.0.1", port), tmp_path)
    assert "THESEUS_HTTP" in await tried(Listen("192.0.2.1", 80), tmp_path)
    (tmp_path / "file").write_text("")
    assert "THESEUS_HOME" in await tried(Listen("127.0.0.1", 0), tmp_path / "file")
