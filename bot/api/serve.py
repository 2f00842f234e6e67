"""Puts the HTTP surface together, and keeps it up for as long as the process runs."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from bot.api import health
from bot.api.deliveries import Deliveries
from bot.api.frame import CannotListen, application, serving
from bot.api.github import Webhook
from bot.api.hints import Hints
from bot.settings import Listen, Settings

log = logging.getLogger("theseus.api")


async def serve_http(
    listen: Listen,
    settings: Settings,
    branch: str,
    *,
    serves: Callable[[], bool],
    hint: Callable[[], Awaitable[None]],
    say: Callable[[str], None],
) -> None:
    """Answer at an address; where that cannot be, say why and let the rest go on.

    Args:
        listen: Where.
        settings: What GitHub signs with, what the repository is, and where the home is.
        branch: The branch that is followed.
        serves: Whether live code does.
        hint: Tells the steward to look; raises `ConnectionError` where it is not there.
        say: Hears the sentence on why there is no surface.
    """
    try:
        deliveries = _open(settings.theseus_home / "webhooks.sqlite3")
        with closing(deliveries):
            hints = Hints(hint, deliveries)
            secret = settings.github_webhook_secret
            webhook = Webhook(
                hints,
                secret=secret.get_secret_value() if secret else "",
                repository=settings.github_repository or "",
                branch=branch,
            )
            app = application([*health.routes(serves), *webhook.routes()])
            async with serving(listen, app) as port:
                log.info("HTTP is answered on %s, port %d", listen.host, port)
                await hints.run()
    except CannotListen as problem:
        say(str(problem))


def _open(path: Path) -> Deliveries:
    try:
        return Deliveries(path)
    except (OSError, sqlite3.Error) as error:
        raise CannotListen(
            f"There is no HTTP surface: {path} cannot be used ({error}); make room, or set THESEUS_HOME to another "
            "folder. Chat goes on without."
        ) from error
