"""`scripts/github-setup`: sets a repository on GitHub up so that its rules bind everybody, or says what is not so.

It takes a token of its own, GITHUB_ADMIN_TOKEN. Theseus never has that right: whoever may change the rules of a branch may
merge anything. Nothing is changed before it was shown and somebody said yes, and nothing is ever pushed.
Exit codes: 0 all is as wanted, 1 something is not, 2 something could not be seen or asked.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from policies.load import Rules, load_rules
from selfedit.answers.render import shown
from selfedit.forge.github import wanted
from selfedit.forge.github.changing import Change, changes
from selfedit.forge.github.client import Client, No
from selfedit.forge.github.found import HIDDEN, look
from selfedit.forge.github.owners import OWNERS_FILE, codeowners
from selfedit.forge.github.settings import GitHubSettings, SettingsProblem, read_settings
from selfedit.forge.github.wanted import Item, Wish
from selfedit.ports import ForgeDown

ROOT = Path(__file__).resolve().parents[3]
OK, DIFFERS, UNKNOWN = 0, 1, 2
EVENTS = (
    *("pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"),
    *("check_run", "check_suite", "status", "push", "merge_group", "member", "branch_protection_rule"),
)
"""What a webhook has to tell of: everything after which something may be another."""
_WORDS = {"ok": "ok", "differs": "differs", "unseen": "cannot be seen"}
_EPILOG = """\
Settings, from the environment or from .env:
  GITHUB_ADMIN_TOKEN     a token of an administrator, for this alone; never taken from .env
  GITHUB_REPOSITORY      owner/name
  GITHUB_API_URL         another GitHub than github.com: https://HOST/api/v3
  GITHUB_WEBHOOK_SECRET  with --webhook: what webhooks are signed with

It shows what differs, asks, and sets it; it never pushes. docs/github.md says more.
Exit codes: 0 all is as wanted, 1 something is not, 2 something could not be seen or asked."""
_OWNER = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9-]*)(?:/[A-Za-z0-9._-]+)?")


def main(argv: Sequence[str], environ: MutableMapping[str, str] | None = None) -> int:
    """Run the command with the settings of an environment (this process's, and those of .env); the exit code."""
    if environ is None:
        environ = {**_env_file(ROOT / ".env"), **os.environ}
    given = _parser().parse_args(argv)
    rules = load_rules()
    if given.owners:
        return _write_owners(given.owners, rules)
    secret = environ.pop("GITHUB_WEBHOOK_SECRET", "")
    try:
        settings, own = as_whom(environ, given.repository, check=given.check)
        wish = _wish(given, rules, own)
    except SettingsProblem as error:
        return _fail(str(error))
    if wish.address and not secret and not given.check:
        return _fail(
            "a webhook needs GITHUB_WEBHOOK_SECRET, the same as the bot's; make one: openssl rand -hex 32"
        )
    try:
        return asyncio.run(_run(settings, wish, rules, secret, check=given.check, yes=given.yes))
    except ForgeDown as error:
        return _fail(str(error))


def as_whom(environ: MutableMapping[str, str], repository: str, *, check: bool) -> tuple[GitHubSettings, int]:
    """The administrator's settings, and the number of Theseus's App where it is set; all secrets leave the environment.

    Raises:
        SettingsProblem: There is no repository, or no token that may be used for this.
    """
    admin = environ.pop("GITHUB_ADMIN_TOKEN", "")
    app = environ.get("GITHUB_APP_ID", "")
    if repository:
        environ["GITHUB_REPOSITORY"] = repository
    public = {name: environ[name] for name in environ if not name.startswith(("GITHUB_APP", "GITHUB_TOKEN"))}
    public.pop("GITHUB_INSTALLATION_ID", None)
    if admin:
        settings = read_settings({**public, "GITHUB_TOKEN": admin})
    elif check:
        settings = read_settings(environ)  # Theseus's own credential sees some of it
    else:
        raise SettingsProblem(
            "GITHUB_ADMIN_TOKEN is not set: a token of an administrator, for this alone (docs/github.md says with which "
            "rights). Theseus's own token is not taken, because it must not be able to change the rules that bind it"
        )
    for name in ("GITHUB_TOKEN", "GITHUB_APP_KEY"):
        environ.pop(name, None)
    if settings is None:
        raise SettingsProblem(
            "GITHUB_REPOSITORY is not set: set it to owner/name, in .env or by --repository"
            if not environ.get("GITHUB_REPOSITORY", "").strip()
            else "GITHUB_ADMIN_TOKEN is not set: a token of an administrator, for this alone (docs/github.md says with "
            "which rights)"
        )
    return settings, int(app) if app.isdigit() else 0


async def _run(
    settings: GitHubSettings, wish: Wish, rules: Rules, secret: str, *, check: bool, yes: bool
) -> int:
    base, branch = f"/repos/{settings.repository}", rules.repo.branch
    client = Client(settings)
    try:
        known = await client.get("/apps/github-actions", no=HIDDEN)
        if isinstance(known, dict) and isinstance(known.get("id"), int):
            wish = _bound(wish, known["id"])
        found = await look(client, settings, branch)
        items = wanted.compare(wish, found)
        todo = [] if check else changes(wish, found, items, base=base, branch=branch, secret=secret)
        before = {item.text for item in items if item.standing == "differs"}
        if todo:
            _tell(items)
            if not (yes or _agreed(todo)):
                _say("Nothing was changed.")
                return DIFFERS
            for one in todo:
                await _set(client, one)
            items = wanted.compare(wish, await look(client, settings, branch))
        _tell(items, before if todo else ())
    finally:
        await client.end()
    standings = {item.standing for item in items}
    return DIFFERS if "differs" in standings else UNKNOWN if "unseen" in standings else OK


async def _set(client: Client, one: Change) -> None:
    answer = await client.send(one.method, one.path, dict(one.body), no=(*HIDDEN, 422))
    if isinstance(answer, No):
        _say(f"not set: {one.text} ({answer.status}: {answer.message})")


def _env_file(path: Path) -> dict[str, str]:
    """The settings of the bot, for whom all this is set up; no token of an administrator is taken from there."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # only who has such a file pays for reading it

    found = {name: value for name, value in dotenv_values(path).items() if value is not None}
    found.pop("GITHUB_ADMIN_TOKEN", None)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/github-setup",
        description="Sets a repository on GitHub up so that its rules bind everybody, or says what is not so.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="only say what is not as it should be")
    parser.add_argument("--yes", action="store_true", help="change what differs without asking")
    parser.add_argument("--repository", default="", help="owner/name (GITHUB_REPOSITORY)")
    parser.add_argument(
        "--webhook", default="", metavar="URL", help="where webhooks go: https://HOST/webhooks/github"
    )
    parser.add_argument(
        "--require-steward",
        action="store_true",
        help="also require theseus/gate; only where nobody but Theseus opens pull requests, as it reports on those alone",
    )
    parser.add_argument(
        "--owners", nargs="+", metavar="@NAME", help=f"only write {OWNERS_FILE} here, for them"
    )
    return parser


def _wish(given: argparse.Namespace, rules: Rules, app: int) -> Wish:
    address = given.webhook.rstrip("/")
    if address and (urlsplit(address).scheme not in ("https", "http") or not urlsplit(address).hostname):
        raise SettingsProblem(
            f"{address[:100]!r} is no address; give the bot's, as https://HOST/webhooks/github"
        )
    return Wish(
        live=rules.zones.live,
        steward=given.require_steward,
        app=app,
        address=address,
        events=EVENTS,
    )


def _bound(wish: Wish, actions: int) -> Wish:
    return Wish(wish.live, wish.steward, wish.app, actions, wish.address, wish.events)


def _write_owners(owners: Sequence[str], rules: Rules) -> int:
    wrong = [name for name in owners if not _OWNER.fullmatch(name)]
    if wrong:
        return _fail(f"{wrong[0]!r} names nobody on GitHub; say @login, or @organisation/team")
    place = ROOT / OWNERS_FILE
    place.parent.mkdir(exist_ok=True)
    place.write_text(codeowners(owners, rules.zones.live), "utf-8")
    branch = rules.repo.branch
    _say(
        f"{OWNERS_FILE} is written; commit it, and bring it to {branch} on GitHub: by a push while {branch} is not protected "
        "yet, later by a pull request."
    )
    return OK


def _tell(items: Sequence[Item], before: Sequence[str] | set[str] = ()) -> None:
    place = ""
    for item in items:
        if item.place != place:
            place = item.place
            _say(f"\n{place}")
        word = "set" if item.standing == "ok" and item.text in before else _WORDS[item.standing]
        why = f": needs {item.why}" if item.standing == "unseen" else f": {item.why}" if item.why else ""
        _say(f"  {word:<15} {item.text}{why}")


def _agreed(todo: Sequence[Change]) -> bool:
    """Whether somebody at a terminal says yes to it; without one nobody does."""
    _say("\nThis would be set: " + ", ".join(one.text for one in todo) + ".")
    if not sys.stdin.isatty():
        _say("Run it with --yes to set it.")
        return False
    sys.stdout.write("Set it? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(text: str) -> None:
    sys.stdout.write(f"{shown(text)}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{shown(text)}\n")
    return UNKNOWN
