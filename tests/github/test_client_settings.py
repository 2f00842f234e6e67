"""Which GitHub and as whom: read from the environment, taken out of it, shown to nobody."""

import asyncio
import logging
import pickle
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from selfedit.forge.github.client import Client
from selfedit.forge.github.credentials import SPARE, Credential
from selfedit.forge.github.settings import (
    App,
    Secret,
    SettingsProblem,
    Token,
    left_out,
    read_settings,
    take_credentials,
)
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import ForgeWorld, forge_world

TOKEN = "ghp_canaryCANARYcanaryCANARYcanaryCANARY1"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def key() -> str:
    return pem(rsa.generate_private_key(65537, 2048))


def given(**more: str) -> dict[str, str]:
    return {"GITHUB_REPOSITORY": "octo/theseus", "GITHUB_TOKEN": TOKEN, **more}


def test_the_secrets_leave_the_environment() -> None:
    """What is started later has them not, whether they are used or not; the rest stays."""
    for extra in ({}, {"GITHUB_REPOSITORY": ""}):
        environ = {**given(**extra), "PATH": "/bin"}
        take_credentials(environ)
        assert TOKEN not in str(environ)
        assert environ["PATH"] == "/bin"
    broken = {"GITHUB_REPOSITORY": "octo/theseus", "GITHUB_APP_ID": "1", "GITHUB_APP_KEY": "canary"}
    with pytest.raises(SettingsProblem):
        take_credentials(broken)
    assert "canary" not in str(broken)


def test_without_a_repository_or_a_credential_main_lives_here() -> None:
    """So it is in Actions, where the repository is always named."""
    assert read_settings({}) is None
    assert read_settings({"GITHUB_TOKEN": TOKEN}) is None
    assert (
        read_settings({"GITHUB_REPOSITORY": "octo/theseus", "GITHUB_API_URL": "https://api.github.com"})
        is None
    )


@pytest.mark.parametrize(
    ("api", "web", "graphql"),
    [
        ("", "https://github.com", "https://api.github.com/graphql"),
        ("https://api.github.com/", "https://github.com", "https://api.github.com/graphql"),
        ("https://ghe.example.org/api/v3", "https://ghe.example.org", "https://ghe.example.org/api/graphql"),
        (
            "https://ghe.example.org:8443/api/v3/",
            "https://ghe.example.org:8443",
            "https://ghe.example.org:8443/api/graphql",
        ),
        ("https://api.acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com/graphql"),
        ("http://127.0.0.1:80/api/v3", "http://127.0.0.1:80", "http://127.0.0.1:80/api/graphql"),
        ("http://[::1]:1/api/v3", "http://[::1]:1", "http://[::1]:1/api/graphql"),
    ],
)
def test_the_other_addresses_follow_from_the_first(api: str, web: str, graphql: str) -> None:
    """Where git is and where GraphQL is need no settings of their own."""
    found = read_settings(given(GITHUB_API_URL=api))
    assert found is not None
    assert (found.web, found.graphql, found.git) == (web, graphql, f"{web}/octo/theseus.git")


@pytest.mark.parametrize(
    "wrong",
    [
        {"GITHUB_REPOSITORY": "theseus"},
        {"GITHUB_REPOSITORY": "octo/.."},
        {"GITHUB_REPOSITORY": "octo/theseus.git"},
        {"GITHUB_REPOSITORY": "octo/the seus"},
        {"GITHUB_REPOSITORY": "https://github.com/octo/theseus"},
        {"GITHUB_API_URL": "http://ghe.example.org/api/v3"},
        {"GITHUB_API_URL": "http://localhost.evil.test/api/v3"},
        {"GITHUB_API_URL": "https://github.com"},
        {"GITHUB_API_URL": "https://api.github.com/api/v3"},
        {"GITHUB_API_URL": "https://ghe.example.org"},
        {"GITHUB_API_URL": "https://a:b@ghe.example.org/api/v3"},
        {"GITHUB_API_URL": "https://ghe.example.org/api/v3?x=1"},
        {"GITHUB_API_URL": "ftp://ghe.example.org/api/v3"},
        {"GITHUB_API_URL": "https://[::1/api/v3"},
        {"GITHUB_TOKEN": "two words canary"},
        {"GITHUB_TOKEN": "short"},
        {"GITHUB_APP_ID": "1"},
        {"GITHUB_TOKEN": "", "GITHUB_APP_ID": "1"},
        {
            "GITHUB_TOKEN": "",
            "GITHUB_APP_ID": "1",
            "GITHUB_APP_KEY": "/nowhere",
            "GITHUB_INSTALLATION_ID": "2",
        },
        {"GITHUB_TOKEN": "", "GITHUB_APP_ID": "a b", "GITHUB_APP_KEY": "k", "GITHUB_INSTALLATION_ID": "2"},
        {"GITHUB_TOKEN": "", "GITHUB_APP_ID": "1", "GITHUB_APP_KEY": "k", "GITHUB_INSTALLATION_ID": "x"},
        {
            "GITHUB_TOKEN": "",
            "GITHUB_APP_ID": "1",
            "GITHUB_APP_KEY": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
            "GITHUB_INSTALLATION_ID": "2",
        },
        {"HTTPS_PROXY": "socks5://proxy:1"},
    ],
)
def test_each_wrong_value_is_one_clear_sentence(wrong: dict[str, str]) -> None:
    """It names the setting, says what to do, and holds no secret."""
    with pytest.raises(SettingsProblem) as caught:
        read_settings(given(**wrong))
    said = str(caught.value)
    assert "\n" not in said
    assert "GITHUB_" in said or "HTTPS_PROXY" in said
    assert "canary" not in said.lower()


def test_a_key_is_text_or_a_file(tmp_path: Path, key: str) -> None:
    """As GitHub hands it out, in one line, or by its path; other kinds of keys are refused."""
    path = tmp_path / "key.pem"
    path.write_text(key)
    app = {"GITHUB_TOKEN": "", "GITHUB_APP_ID": "1", "GITHUB_INSTALLATION_ID": "2"}
    for text in (key, key.replace("\n", "\\n"), str(path)):
        found = read_settings(given(**app, GITHUB_APP_KEY=text))
        assert found is not None
        assert isinstance(found.credential, App)
        assert found.credential.key.reveal().strip() == key.strip()
    with pytest.raises(SettingsProblem):
        read_settings(given(**app, GITHUB_APP_KEY=pem(ec.generate_private_key(ec.SECP256R1()))))


def test_no_text_of_the_settings_shows_a_secret() -> None:
    """Printing, logging or writing them down gives nothing away."""
    found = read_settings(given(HTTPS_PROXY="http://user:canary@proxy:3128"))
    assert found is not None
    assert isinstance(found.credential, Token)
    for shown in (repr(found), str(found), f"{found.credential.secret}"):
        assert "canary" not in shown.lower()
    with pytest.raises(TypeError):
        pickle.dumps(found.credential.secret)
    assert found.proxy is not None
    assert read_settings(given(HTTPS_PROXY="http://proxy:1", NO_PROXY=".github.com")).proxy is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("seconds", "times"), [(3600, 1), (SPARE - 10, 3), (-5, 3)])
async def test_a_token_of_an_app_is_renewed_before_it_expires(key: str, seconds: float, times: int) -> None:
    """What begins with a token can end with it."""
    asked = []

    async def exchange(path: str) -> dict[str, str]:
        asked.append(path)
        until = datetime.fromtimestamp(time.time() + seconds, UTC)
        return {"token": f"t{len(asked)}", "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    credential = Credential(App("1", Secret(key), "2"), exchange)
    for _ in range(3):
        await credential.token()
    assert asked == ["/app/installations/2/access_tokens"] * times


@pytest.fixture
async def world(tmp_path: Path, described: Description | Missing) -> AsyncIterator[ForgeWorld]:
    """A forge that acts as an App."""
    async with forge_world(tmp_path, described) as made:
        yield made


def exchanges(world: ForgeWorld) -> int:
    return len(world.github.made("POST", "/access_tokens"))


async def test_a_token_of_an_app_is_kept_and_renewed_when_it_is_refused(
    world: ForgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """One serves many requests; when GitHub takes it no more, another is had and the request goes through."""
    caplog.set_level(logging.DEBUG)
    client = Client(world.settings, backoff=0.001)
    for _ in range(3):
        assert (await client.get(f"/repos/{world.github.repository}"))["default_branch"] == "main"
    assert exchanges(world) == 1
    first = (await client.token()).reveal()
    world.github.expire_tokens()
    made = await client.send(
        "POST", f"/repos/{world.github.repository}/labels", {"name": "x", "color": "ffffff"}
    )
    assert made["name"] == "x"
    second = (await client.token()).reveal()
    assert (exchanges(world), first == second) == (2, False)
    assert first not in caplog.text
    assert second not in caplog.text
    await client.end()


async def test_many_requests_at_once_take_one_token(world: ForgeWorld) -> None:
    """It is not asked for by each of them."""
    client = Client(world.settings, backoff=0.001)
    await asyncio.gather(*(client.get(f"/repos/{world.github.repository}") for _ in range(8)))
    assert exchanges(world) == 1
    await client.end()


def test_half_of_the_settings_are_named() -> None:
    """Whoever set only a part of them reads in /status what is missing; none and all of them are nothing to tell."""
    credential = {"GITHUB_APP_ID": "1"}
    assert "GITHUB_TOKEN" in left_out({"GITHUB_REPOSITORY": "o/r"})
    assert "GITHUB_REPOSITORY is not set" in left_out(credential)
    assert left_out({}) == left_out({"GITHUB_REPOSITORY": "o/r", **credential}) == ""
