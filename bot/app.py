"""The bot process: the only place that names concrete adapters, and what holds them together.

It ends when the steward says so, and at once when the steward is gone.
"""

import asyncio
import contextlib
import getpass
import logging
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from agent.chat.brain import Brain
from agent.declared.made import Made
from agent.declared.shelf import Shelf, ShelfProblem
from agent.guardrails.redaction import HIDDEN
from agent.models.catalogue import CatalogueProblem, read_catalogue
from agent.models.offers import NO_AUTHOR, Keys
from agent.models.router import Router
from agent.models.tokens import load_tables
from agent.providers.local import weights
from agent.records.turns import Turns, TurnsProblem, open_turns
from agent.types import Needs
from bot.feature import ModelFailed
from bot.lending import Lending
from bot.settings import SettingProblem, Settings, read_settings
from bot.theseus import Bot
from bot.thread import in_thread
from policies.credentials import without_credentials
from policies.load import Rules, RulesProblem, load_rules
from selfedit.ports import Reviser
from selfedit.protocol import LINE_LIMIT, News, Peer
from selfedit.running.bot_process import USELESS
from selfedit.types import NoDraft

LAST_SECONDS = 2.0
"""How long the process may take to end after the steward is gone."""
_TALKATIVE = ("httpx2", "httpcore2", "httpx", "httpcore")
"""Libraries that log each request with its whole address."""

log = logging.getLogger("theseus.app")


def main() -> int:
    """Run the bot on the link that the steward opened; the exit code."""
    try:
        link = int(os.environ.pop("THESEUS_LINK"))
        settings, rules = read_settings(), load_rules()
        log_to(settings.theseus_home, settings.secrets)
        bound_memory(rules.services.process_memory_mb)
    except SettingProblem as problem:
        print(f"The bot cannot start: {problem}", file=sys.stderr)  # noqa: T201 - there is no other place yet
        return USELESS
    except (ValueError, OSError, RulesProblem) as error:
        print(f"The bot cannot start: {error}", file=sys.stderr)  # noqa: T201 - there is no other place yet
        return 1
    code = asyncio.run(serve(settings, rules, link))
    logging.shutdown()
    return code


async def serve(settings: Settings, rules: Rules, link: int) -> int:
    """Serve until the steward ends us or is gone.

    Returns:
        The exit code: 1 when a part of the bot failed, `USELESS` when it would fail again.
    """
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    # Ctrl-C reaches the steward as well, which then ends us in good order.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    _end_with_the_steward(link)
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=link), limit=LINE_LIMIT)
    await load_tables()
    models = _models(settings)
    exa_key = settings.exa_api_key.get_secret_value() if settings.exa_api_key else ""
    lending = Lending(rules, settings.theseus_home, exa_key)
    brain = _brain(models, settings, rules, lending)
    bot = Bot(rules, brain, lambda: _open_author(models, rules, settings.secrets), settings.secrets)
    peer = bot.peer = Peer(reader, writer, bot.hear)
    surface = _surface(bot, settings, rules)

    def announce(sentence: str) -> None:
        bot.hear_notice(News(text=sentence))
        log.warning("%s", sentence)  # the operator of a bot on Discord sees no console

    for sentence in models.notices:
        announce(sentence)
    gone = asyncio.create_task(peer.run())
    parts: list[Coroutine[None, None, None]] = [surface, bot.beat(), bot.telemetry.watch_loop()]
    parts += _http(bot, settings, rules, announce)
    over = asyncio.create_task(ending.wait())
    waiting: set[asyncio.Task[None] | asyncio.Task[bool]] = {gone, over}
    waiting.update(asyncio.create_task(part) for part in parts)
    code = 0
    while not (gone.done() or over.done() or code):
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if (error := task.exception()) is not None:
                log.error("a part of the bot failed", exc_info=error)
                kind = "" if isinstance(error, SettingProblem) else f"{type(error).__name__}: "
                said = hidden(f"The bot ends: {kind}{error}", settings.secrets)
                print(said, file=sys.stderr)  # noqa: T201 - for the operator
                code = USELESS if isinstance(error, SettingProblem) else 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await peer.close()
    await brain.close()
    await lending.close()
    return code


def _surface(bot: Bot, settings: Settings, rules: Rules) -> Coroutine[None, None, None]:
    """Where people are met: on Discord if there is a token, else at the console."""
    if settings.discord_token is not None:
        from bot.discord.serve import serve_discord  # costs a second that the console does not pay

        token = settings.discord_token.get_secret_value()
        return serve_discord(
            bot,
            token,
            settings.theseus_discord_api,
            home=settings.theseus_home,
            test_server=settings.theseus_discord_test_server,
        )
    from bot.attaching import Pending
    from bot.console import Console

    console = Console(bot, settings.theseus_home, f"console:{_operator()}", Pending(rules.attachments))
    bot.hear_notice = console.hear
    return console.run()


def _http(
    bot: Bot, settings: Settings, rules: Rules, announce: Callable[[str], None]
) -> list[Coroutine[None, None, None]]:
    """What other programs may ask, where the settings say at which address."""
    listen = settings.listen
    if listen is None:
        return []
    from bot.api.serve import serve_http  # who has no such address does not pay for a server

    def serves() -> bool:
        return bot.generations.current is not None

    branch = rules.repo.branch
    return [serve_http(listen, settings, branch, serves=serves, hint=bot.hint, say=announce)]


def _models(settings: Settings) -> Router:
    """Every model that the settings give access to. A file about models that does not fit is left out, and said."""
    notices = []
    given = {name: getattr(settings, name) for name in Keys.model_fields}
    if settings.embedded_model and weights() is None:
        notices.append("EMBEDDED_MODEL is set, and there is none: get it with `scripts/setup local`.")
    keys = Keys(**given | {"embedded_model": settings.embedded_model is not False and weights() is not None})
    try:
        return Router.of(keys, read_catalogue(settings.models_config), notices)
    except CatalogueProblem as problem:
        return Router.of(keys, notices=[*notices, f"MODELS_CONFIG is not used: {problem}"])


def _brain(models: Router, settings: Settings, rules: Rules, lending: Lending) -> Brain:
    """What answers chat, with its memory in the bot's home."""
    return Brain(
        None if models.missing else models,
        rules,
        missing=models.missing,
        failed=ModelFailed,
        services=lending.lent,
        made=_made(settings.theseus_home / "tools.sqlite3", rules, lending),
        turns=_turns(settings.theseus_home / "turns.sqlite3"),
        tools_on=settings.enable_tool_calling,
        hidden=settings.secrets,
    )


def _made(path: Path, rules: Rules, lending: Lending) -> Made | None:
    """Tools that people made of data; where they cannot be kept there are none."""
    try:
        return Made(Shelf(path, rules.web), rules, lending.api)
    except ShelfProblem as problem:
        log.error("%s", problem)  # noqa: TRY400 - the sentence says it all
        return None


def _turns(path: Path) -> Turns | None:
    """Where turns are kept; where that cannot be, chat goes on with what is in memory."""
    try:
        return open_turns(path)
    except TurnsProblem as problem:
        log.error("%s", problem)  # noqa: TRY400 - the sentence says it all
        return None


async def _open_author(models: Router, rules: Rules, secrets: Sequence[str]) -> Reviser | NoDraft:
    model = models.provider(Needs(code=True, tools=True))
    if model is None:
        return NoDraft(why=NO_AUTHOR)

    def make() -> Reviser:
        from agent.author.author import (
            ModelAuthor,  # pulls in the syntax tree library, which only drafting needs
        )

        return ModelAuthor(model, rules.author, secrets)

    return await in_thread(make)


def bound_memory(megabytes: int) -> None:
    """Let this process reserve no more: what asks for too much fails there and then, instead of the whole machine.

    Linux counts everything private that can be written to; elsewhere this may hold less, or nothing.
    """
    wanted = megabytes * 1024 * 1024
    with contextlib.suppress(ValueError, OSError):  # a lower bound stands already, or this system has none
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if most < 0 else min(wanted, most), most))


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "operator"


def _end_with_the_steward(link: int) -> None:
    """See to it that no bot outlives its steward, even one whose event loop stands still."""
    watched = os.dup(link)

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, select.POLLHUP | getattr(select, "POLLRDHUP", 0))
        poll.poll()
        time.sleep(LAST_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, name="end with the steward", daemon=True).start()


def log_to(home: Path, secrets: Sequence[str]) -> None:
    """Write the log into a home. None of the secrets stands in it, whoever logs them."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(home / "bot.log", maxBytes=1_000_000, backupCount=2, delay=True)
    handler.setFormatter(_Discreet(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def hidden(text: str, secrets: Sequence[str]) -> str:
    """A text without secrets: neither those that are known nor what looks like one."""
    return without_credentials(text, HIDDEN, secrets)


class _Discreet(logging.Formatter):
    """Formats lines of the log, errors with their tracebacks included, without secrets."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(name)s %(levelname)s %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return hidden(super().format(record), self._secrets)
