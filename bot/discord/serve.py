"""Keeps the bot on Discord for as long as the process runs, or says why that cannot be."""

import asyncio
import logging
import sys
from contextlib import nullcontext
from pathlib import Path

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.client import Client, Sharded
from bot.discord.patience import UNREACHABLE, passes
from bot.discord.shelf import ShelfProblem, alone
from bot.settings import SettingProblem
from bot.surface import Theseus

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds before Discord is tried again where it cannot be reached; each time twice as many, up to the second."""

log = logging.getLogger("theseus.discord")


async def serve_discord(
    theseus: Theseus,
    token: str,
    api: str | None,
    *,
    home: Path | None = None,
    test_server: int | None = None,
    pause: float = FIRST_PAUSE,
) -> None:
    """Stay connected to Discord for as long as the process runs. Where it cannot be reached, it is tried again and again.

    Another process with the same home is waited for.

    Args:
        theseus: What answers.
        token: The bot's token.
        api: Base address of the REST API; None for Discord's own.
        home: Where is kept what outlives the process; None: nowhere.
        test_server: The id of the server that is shown new commands before they are kept; None: none is.
        pause: Seconds before it is tried again for the first time.

    Raises:
        SettingProblem: The token is not accepted, the bot may not read messages, or the address is not one of Discord's interface.
    """
    try:
        async with nullcontext() if home is None else alone(home):
            await _stay(theseus, token, api, home=home, test_server=test_server, pause=pause)
    except ShelfProblem as problem:
        raise SettingProblem(str(problem)) from problem


async def _stay(
    theseus: Theseus, token: str, api: str | None, *, home: Path | None, test_server: int | None, pause: float
) -> None:
    told = False
    while True:
        try:
            if api:
                await point_at(api)
            await theseus.ready.wait()
            await _session(theseus, token, home, test_server)
        except (*UNREACHABLE, discord.GatewayNotFound) as error:
            if not passes(error):
                raise
            log.warning("Discord cannot be reached: %s", error)
            if not told:
                check = "THESEUS_DISCORD_API" if api else "the network"
                sys.stderr.write(f"Discord cannot be reached; check {check}. It is tried again and again.\n")
            told = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return


async def _session(theseus: Theseus, token: str, home: Path | None, test_server: int | None) -> None:
    kind = Sharded if await _shards(token) > 1 else Client
    async with kind(theseus, home=home, test_server=test_server, tell=sys.stderr.write) as client:
        try:
            await client.start(token)
        except discord.LoginFailure as error:
            raise SettingProblem("Discord does not accept the token; check DISCORD_TOKEN") from error
        except discord.PrivilegedIntentsRequired as error:
            raise SettingProblem(
                "Discord does not let the bot read messages; switch on the Message Content Intent, on the page Bot of "
                "its application at discord.com/developers"
            ) from error


async def _shards(token: str) -> int:
    """How many sessions Discord wants a bot of this size to have; one where it does not say so."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bot {token}"}) as session,
        session.get(f"{Route.BASE}/gateway/bot") as answer,
    ):
        if not answer.ok:
            return 1
        try:
            return int((await answer.json())["shards"])
        except (aiohttp.ContentTypeError, ValueError, KeyError, TypeError):
            return 1


async def point_at(api: str) -> None:
    """Send everything to another address than Discord's: to a REST interface, and to the gateway that it names.

    Raises:
        SettingProblem: What answers there is no such interface.
        OSError: Nothing answers there.
    """
    base = api.rstrip("/")
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{base}/gateway") as answer:
            gateway = yarl.URL((await answer.json())["url"])
    except (aiohttp.ContentTypeError, ValueError, KeyError, TypeError) as error:
        raise SettingProblem(
            "THESEUS_DISCORD_API is not the address of Discord's REST interface; give it one like "
            "http://localhost:8080/api/v10"
        ) from error
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base, gateway
