"""`scripts/github-setup`: the rules of a repository on GitHub, set and looked at, against the stand-in."""

import asyncio
import contextlib
import io
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.api.webhook import CONCERNS
from policies.load import load_rules
from selfedit.forge.github import wanted
from selfedit.forge.github.installing import EVENTS, main
from selfedit.forge.github.owners import OWNERS_FILE, codeowners, unowned
from selfedit.forge.github.wanted import Found, Item, Wish
from tests.fakes.github.server import GitHub
from tests.fakes.github.things import Account

ROOT = Path(__file__).resolve().parents[2]
LIVE = load_rules().zones.live
SECRET = "webhook-secret-4711"
HOOK = "https://theseus.example/webhooks/github"
OWNERS = codeowners(["@ann"], LIVE)


@dataclass(frozen=True, slots=True)
class Said:
    """What the command said, and how it ended."""

    code: int
    text: str
    errors: str

    def rows(self, standing: str) -> list[str]:
        """The things that stand so, at the end."""
        last = self.text.rpartition("\nmain\n")[2]
        return [line.strip() for line in last.splitlines() if line.startswith(f"  {standing} ")]


async def setup(github: GitHub, *arguments: str, token: str = "", **env: str) -> Said:
    """Run the command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = await asyncio.to_thread(main, arguments, _settings(github, token, env))
    return Said(code, out.getvalue(), err.getvalue())


async def process(github: GitHub, *arguments: str, token: str = "", **env: str) -> Said:
    """Run it as a process of its own, as the script does."""
    program = "import sys; from selfedit.forge.github.installing import main; sys.exit(main(sys.argv[1:]))"
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **_settings(github, token, env)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await started.communicate()
    return Said(started.returncode or 0, said.decode(), errors.decode())


def _settings(github: GitHub, token: str, more: dict[str, str]) -> dict[str, str]:
    given = {"GITHUB_ADMIN_TOKEN": token} if token else {}
    return {"GITHUB_API_URL": github.api, "GITHUB_REPOSITORY": github.repository, **given, **more}


def writes(github: GitHub) -> list[str]:
    return [str(one) for one in github.requests if one.method not in ("GET", "HEAD")]


@pytest.fixture
def admin(github: GitHub) -> Account:
    """An administrator of a repository whose main has owners for its files."""
    ann = github.person("ann", "admin")
    github.push(ann, "main", {".github/CODEOWNERS": OWNERS}, "Say who answers for what")
    return ann


async def test_a_repository_is_set_up_and_found_so(github: GitHub, admin: Account) -> None:
    """Everything is set in one go, and GitHub's own rules then say so."""
    env = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_APP_ID": "77"}
    done = await process(github, "--yes", "--webhook", HOOK, token=admin.token, **env)
    assert (done.code, done.rows("differs"), done.rows("cannot be seen")) == (0, [], []), (
        done.text + done.errors
    )
    assert len(done.rows("set")) > 10
    looked = await process(github, "--check", "--webhook", HOOK, token=admin.token)
    assert (looked.code, looked.rows("differs")) == (0, []), looked.text + looked.errors


async def test_what_is_set_is_what_binds(github: GitHub, admin: Account) -> None:
    """The protection that the stand-in then holds is the wanted one, and a second run sends nothing."""
    await setup(github, "--yes", "--require-steward", token=admin.token, GITHUB_APP_ID="77")
    rules = github.world.protections["main"]
    assert rules.checks == ("check", "gate", "theseus/gate")
    assert dict(rules.apps) == {"check": 15368, "gate": 15368, "theseus/gate": 77}
    assert (rules.reviews, rules.strict, rules.admins) == (1, True, True)
    assert (rules.dismiss_stale, rules.code_owners, rules.last_push, rules.conversations) == (True,) * 4
    assert not rules.linear
    sent = len(writes(github))
    again = await setup(github, "--yes", "--require-steward", token=admin.token, GITHUB_APP_ID="77")
    assert (again.code, len(writes(github)), again.rows("set")) == (0, sent, []), again.text
    looked = await setup(github, "--check", "--require-steward", token=admin.token, GITHUB_APP_ID="77")
    assert looked.code == 0, looked.text


async def test_looking_changes_nothing(github: GitHub, admin: Account) -> None:
    """`--check`, and a run with nobody there to say yes, name what differs, end with 1 and send nothing."""
    done = [await setup(github, *arguments, token=admin.token) for arguments in (("--check",), ())]
    for one in done:
        assert one.code == 1
        assert any("the check gate is required" in row for row in one.rows("differs"))
    assert ["--yes" in one.text for one in done] == [False, True]
    assert writes(github) == []


@pytest.mark.parametrize(
    ("rules", "row"),
    [
        ({"checks": ("check",)}, "the check gate is required"),
        ({"apps": ()}, "anybody with write access may say it"),
        ({"strict": False}, "a head has to contain what main is"),
        ({"reviews": 0}, "an approval is needed"),
        ({"reviews": None}, "changes need a pull request"),
        ({"dismiss_stale": False}, "a push takes approvals back"),
        ({"code_owners": False}, "owners of kernel files"),
        ({"last_push": False}, "whoever pushed last"),
        ({"admins": False}, "administrators are bound too"),
        ({"conversations": False}, "open conversations"),
        ({"linear": True}, "merge commits may come to it"),
    ],
)
async def test_each_loosened_rule_is_found_and_set_again(
    github: GitHub, admin: Account, rules: dict[str, Any], row: str
) -> None:
    """Whatever somebody loosens is named by `--check`, and is as before after the next run."""
    await setup(github, "--yes", token=admin.token)
    good = github.world.protections["main"]
    github.world.protections["main"] = replace(good, **rules)
    done = await setup(github, "--check", token=admin.token)
    assert done.code == 1
    assert any(row in line for line in done.rows("differs")), done.text
    assert (await setup(github, "--yes", token=admin.token)).code == 0
    assert github.world.protections["main"] == good


async def test_what_is_stricter_stays(github: GitHub, admin: Account) -> None:
    """More approvals and more checks than are wanted are left as they are."""
    github.protect("main", checks=("check", "lint"), reviews=3)
    assert (await setup(github, "--yes", token=admin.token)).code == 0
    rules = github.world.protections["main"]
    assert (rules.reviews, set(rules.checks)) == (3, {"check", "lint", "gate"})


async def test_rulesets_count_as_protection(github: GitHub, admin: Account) -> None:
    """Where a ruleset asks for all of it there is nothing to set; who may pass it by is named."""
    await setup(github, "--yes", token=admin.token)
    github.world.protections["main"] = replace(github.world.protections["main"], ruleset=True)
    done = await setup(github, "--check", token=admin.token)
    assert (done.code, done.rows("differs")) == (0, []), done.text
    somebody = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    github.world.rulesets[9] = {
        "name": "loose",
        "enforcement": "active",
        "rules": [{"type": "deletion"}],
        "bypass_actors": [somebody],
    }
    done = await setup(github, "--check", token=admin.token)
    assert (done.code, len(done.rows("differs"))) == (1, 1)
    assert "the ruleset loose lets 1 pass it by" in done.text


async def test_what_is_hidden_is_said_to_be_with_the_right_that_shows_it(
    github: GitHub, admin: Account
) -> None:
    """Theseus's own token sees part of it: nothing of what it cannot see is called right, and the end is 2."""
    await setup(github, "--yes", token=admin.token)
    done = await setup(github, "--check", GITHUB_TOKEN=github.token)
    assert (done.code, done.rows("differs")) == (2, []), done.text
    assert all("needs Administration: read" in row for row in done.rows("cannot be seen"))
    assert not any("the check gate" in row for row in done.rows("ok"))


async def test_the_bots_own_token_sets_nothing(github: GitHub, admin: Account) -> None:
    """Without a token of an administrator it ends before it asks anything, and says why."""
    assert admin.token
    asked = len(github.requests)
    done = await setup(github, "--yes", GITHUB_TOKEN=github.token)
    assert (done.code, len(github.requests)) == (2, asked)
    assert "GITHUB_ADMIN_TOKEN" in done.errors


async def test_no_secret_is_printed_or_sent_elsewhere(github: GitHub, admin: Account) -> None:
    """Neither the token nor the webhook's secret is in any output, whatever goes wrong."""
    said = []
    for fault in (None, r"/protection$", r"/hooks$"):
        if fault:
            github.fail(fault, 500, times=9)
        done = await setup(
            github, "--yes", "--webhook", HOOK, token=admin.token, GITHUB_WEBHOOK_SECRET=SECRET
        )
        said.append(done)
    for done in said:
        for secret in (admin.token, SECRET):
            assert secret not in done.text + done.errors
    assert {done.code for done in said} <= {0, 2}


async def test_the_webhook_is_mended_and_not_doubled(github: GitHub, admin: Account) -> None:
    """One that is there with less than is wanted is changed; another address's is left alone."""
    github.webhook("https://elsewhere.example/hook", "x")
    await setup(github, "--yes", "--webhook", HOOK, token=admin.token, GITHUB_WEBHOOK_SECRET=SECRET)
    mine = next(one for one in github.world.hooks.values() if one.url == HOOK)
    mine.events, mine.active = ["push"], False
    done = await setup(github, "--yes", "--webhook", HOOK, token=admin.token, GITHUB_WEBHOOK_SECRET=SECRET)
    assert done.code == 0, done.text
    assert (mine.active, set(mine.events), mine.secret) == (True, set(EVENTS), SECRET)
    assert len(github.world.hooks) == 2


async def test_what_github_does_not_let_be_set_is_said(github: GitHub, admin: Account) -> None:
    """A plan without protected branches, for instance: the rest is set, and the end is not 0."""
    github.fail(r"/protection$", 403, method="PUT", times=9)
    done = await setup(github, "--yes", token=admin.token)
    assert done.code == 1
    assert "not set: the protection of main (403" in done.text
    assert any("squashing is off" in row for row in done.rows("set"))


async def test_a_server_without_rulesets_is_set_up_too(github: GitHub, admin: Account) -> None:
    """Where GitHub knows no rulesets, classic protection is all there is, and that is nothing hidden."""
    github.fail(r"/rules/branches/main$", 404, times=9)
    done = await setup(github, "--yes", token=admin.token)
    assert (done.code, done.rows("cannot be seen")) == (0, []), done.text


async def test_an_outage_is_one_sentence(github: GitHub, admin: Account) -> None:
    """Where GitHub cannot be asked, nothing is called right or wrong."""
    await github.outage()
    done = await setup(github, "--check", token=admin.token)
    assert (done.code, done.text) == (2, "")
    assert len(done.errors.strip().splitlines()) == 1


def test_webhooks_tell_of_all_that_is_listened_to() -> None:
    """The events that are set up are those that the bot takes as a hint."""
    assert set(EVENTS) == CONCERNS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OWNERS, ""),
        (f"{OWNERS}/agent/live/tools/\n", ""),
        ("", "there is none"),
        ("# nobody\n", "there is none"),
        ("/policies/ @ann\n", "no rule for *"),
        ("*\n", "no rule for *"),
        (f"{OWNERS}/selfedit/\n", "/selfedit/ has no owner"),
        (f"{OWNERS}/selfedit/ # @ann\n", "/selfedit/ has no owner"),
        (f"{OWNERS}*.toml\n", "*.toml has no owner"),
    ],
)
def test_a_file_without_an_owner_is_found(text: str, why: str) -> None:
    """CODEOWNERS may leave live folders to anybody, and nothing else."""
    said = unowned(text, LIVE)
    assert said.startswith(why) if why else said == ""


def test_the_file_of_this_repository_is_what_the_setup_writes() -> None:
    """.github/CODEOWNERS stands as `--owners` would write it for its owners."""
    text = (ROOT / OWNERS_FILE).read_text()
    owners = next(line for line in text.splitlines() if line.startswith("* ")).split()[1:]
    assert text == codeowners(owners, LIVE)


def test_what_nobody_could_see_is_never_ok() -> None:
    """With nothing seen at all no item is as wanted."""
    items: list[Item] = wanted.compare(Wish(LIVE, address=HOOK), Found(bypassed=None, errors=None))
    fine = [item.text for item in items if item.standing == "ok"]
    assert fine == []


async def test_each_wrong_setting_has_its_own_sentence(github: GitHub, admin: Account) -> None:
    """A token that GitHub does not know, a name that is none there, and what is not set are told apart."""
    wrong = await setup(github, "--check", token="ghp_nobody_knows_this_one")
    mistyped = await setup(github, "--check", "--repository", "harbour/thesus", token=admin.token)
    unnamed = await setup(github, "--check", token=admin.token, GITHUB_REPOSITORY="")
    alone = await setup(github, "--check")
    assert [said.code for said in (wrong, mistyped, unnamed, alone)] == [2] * 4
    assert "does not accept this token" in wrong.errors
    assert "does it exist" in mistyped.errors
    assert "GITHUB_REPOSITORY is not set" in unnamed.errors
    assert "GITHUB_ADMIN_TOKEN is not set" in alone.errors
