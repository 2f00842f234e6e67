"""The stand-in serves git and an unmodified client as GitHub does, when all is well and when it is not."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import gidgethub
import gidgethub.abc
import pytest
from aiohttp import web
from gidgethub import apps, sansio
from gidgethub.aiohttp import GitHubAPI

from tests.fakes.github.description import Description, Missing
from tests.fakes.github.http import Request
from tests.fakes.github.server import GitHub
from tests.fakes.github.things import Account
from tests.github.asking import REPO, begun, client, cloned, git, opened, refused


async def test_a_push_arrives_and_a_push_to_a_protected_main_is_declined(
    github: GitHub, tmp_path: Path
) -> None:
    """Git pushes a branch over http, and hears GitHub's words where a branch takes changes by pull request alone."""
    work = await cloned(github, tmp_path)
    assert (await git(work, "push", "origin", "improve/1", token=github.token))[0] == 0
    assert github.git.text("improve/1", "a.py") == "x = 1\n"
    github.protect(reviews=1)
    main = github.main()
    for refspec in ("improve/1:main", "+improve/1:main", ":main"):
        code, said = await git(work, "push", "origin", refspec, token=github.token)
        assert code == 1, said
        assert "GH006: Protected branch update failed for refs/heads/main" in said or ":main" in refspec
        assert "[remote rejected]" in said
    code, said = await git(work, "push", "origin", "improve/1:main", token=github.token)
    assert "improve/1 -> main (protected branch hook declined)" in said
    code, said = await git(work, "push", "origin", "improve/1:refs/pull/1/head", token=github.token)
    assert (code, "deny updating a hidden ref" in said) == (1, True)
    assert github.main() == main


async def test_git_needs_a_token_with_access(github: GitHub, tmp_path: Path) -> None:
    """Git without a token, with a wrong one, or with one that may only read, gets no further than GitHub lets it."""
    work = await cloned(github, tmp_path)
    reader = github.person("rob", "read")
    assert "could not read Username" in (await git(work, "fetch", "origin"))[1]
    assert (await git(work, "fetch", "origin", token="ghp_wrong"))[0] != 0
    assert (await git(work, "fetch", "origin", token=reader.token))[0] == 0
    code, said = await git(work, "push", "origin", "improve/1", token=reader.token)
    assert (code, "403" in said, github.branch("improve/1")) == (128, True, "")


async def test_nothing_new_costs_nothing(
    github: GitHub, api: GitHubAPI, session: aiohttp.ClientSession
) -> None:
    """What has not changed is answered with 304 and not counted against the limit."""
    await opened(github, api)
    head = {"Authorization": f"Bearer {github.token}"}
    async with session.get(f"{github.api}{REPO}/pulls", headers=head) as first:
        mark, left = first.headers["ETag"], first.headers["X-RateLimit-Remaining"]
    async with session.get(f"{github.api}{REPO}/pulls", headers=head | {"If-None-Match": mark}) as second:
        assert (second.status, second.headers["X-RateLimit-Remaining"]) == (304, left)
    github.comment(github.person("ann"), 1, "Hm")
    github.pulls[1].title = "Two"
    async with session.get(f"{github.api}{REPO}/pulls", headers=head | {"If-None-Match": mark}) as third:
        assert third.status == 200


async def test_long_lists_come_in_pages(github: GitHub, api: GitHubAPI, ann: Account) -> None:
    """A client that follows the links sees every comment once, in order."""
    await opened(github, api)
    for number in range(7):
        github.comment(ann, 1, str(number))
    seen = [one["body"] async for one in api.getiter(f"{REPO}/issues/1/comments?per_page=3")]
    assert seen == list("0123456")
    assert len(github.made("GET", "/comments")) == 3


async def test_limits_are_told_as_there(github: GitHub, api: GitHubAPI) -> None:
    """A client recognises the primary limit, the secondary one and a page where JSON was expected."""
    github.secondary_limit("/pulls$", retry_after=7)
    assert "secondary rate limit" in await refused(403, api.getitem(f"{REPO}/pulls"))
    github.fail("/pulls$", 502)
    await refused(502, api.getitem(f"{REPO}/pulls"))
    assert await api.getitem(f"{REPO}/pulls") == []
    github.primary_limit(reset_in=60)
    with pytest.raises(gidgethub.RateLimitExceeded) as told:
        await api.getitem(f"{REPO}/pulls")
    assert told.value.rate_limit.remaining == 0


async def test_only_apps_make_check_runs(
    github: GitHub, api: GitHubAPI, session: aiohttp.ClientSession
) -> None:
    """A token of an App, made by its key, reports a check run with annotations; a person's token may set a status."""
    pull = await opened(github, api)
    head = pull["head"]["sha"]
    run = {"name": "theseus/gate", "head_sha": head, "status": "completed", "conclusion": "failure"}
    note = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "No"}
    run["output"] = {"title": "Red", "summary": "One thing", "annotations": [note]}
    assert "GitHub App" in await refused(403, api.post(f"{REPO}/check-runs", data=run))
    await api.post(f"{REPO}/statuses/{head}", data={"state": "failure", "context": "theseus/gate"})
    number, key = str(github.installation_id), github.app_key
    token = await apps.get_installation_access_token(
        api, installation_id=number, app_id=str(github.app_id), private_key=key
    )
    app = client(github, session, token["token"])
    made = await app.post(f"{REPO}/check-runs", data=run)
    (shown,) = await app.getitem(f"{REPO}/check-runs/{made['id']}/annotations")
    assert (shown["path"], shown["start_line"], made["app"]["id"]) == ("a.py", 1, github.app_id)
    github.expire_tokens()
    await refused(401, app.getitem(f"{REPO}/pulls"))
    with pytest.raises(gidgethub.HTTPException):
        await apps.get_installation_access_token(
            api, installation_id=number, app_id=str(github.app_id), private_key=_another_key()
        )


def _another_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_request_is_lost_before_or_after_its_effect(
    github: GitHub, api: GitHubAPI, when: Any
) -> None:
    """A request whose connection is lost did happen or not, as the test says; its sender cannot know."""
    await opened(github, api)
    held = github.hold("POST", r"/issues/1/comments$", when)
    asking = asyncio.create_task(api.post(f"{REPO}/issues/1/comments", data={"body": "x"}))
    await held.arrived()
    held.drop()
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert bool(github.pulls[1].comments) == (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_push_is_killed_before_or_after_its_effect(github: GitHub, when: Any, tmp_path: Path) -> None:
    """A push whose sender dies moved the branch or not, as the test says."""
    work = await cloned(github, tmp_path)
    held = github.hold("POST", r"/git-receive-pack$", when)
    process = await begun(work, "push", "origin", "improve/1:other", token=github.token)
    await held.arrived()
    os.killpg(process.pid, signal.SIGKILL)  # its helper would go on pushing without it
    await process.wait()
    held.drop()
    assert bool(github.branch("other")) == (when == "after")


async def test_an_outage_ends(github: GitHub, api: GitHubAPI) -> None:
    """While it is out nobody connects, or nobody is answered; afterwards it is where it was."""
    await opened(github, api)
    await github.outage()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.getitem(f"{REPO}/pulls")
    await github.restore()
    assert len(await api.getitem(f"{REPO}/pulls")) == 1
    await github.outage(hanging=True)
    asking = asyncio.create_task(api.post(f"{REPO}/issues/1/comments", data={"body": "x"}))
    await github.came("POST", r"/comments$")
    await github.restore()
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert github.pulls[1].comments == []


async def test_webhooks_are_signed_over_their_bytes(github: GitHub, api: GitHubAPI, ann: Account) -> None:
    """Whoever listens gets each event once, in order, and finds its signature right."""
    got: list[sansio.Event] = []

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        mark = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == mark
        got.append(sansio.Event.from_http(request.headers, body, secret="s3cret"))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    github.webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", "s3cret")
    await opened(github, api)
    github.review(ann, 1, "APPROVED", "Fine", comments=[("improve_1.py", 1, "Here")])
    await github.delivered()
    await runner.cleanup()
    names = [f"{one.event}.{one.data.get('action', '')}" for one in got]
    wanted = [
        "push.",
        "pull_request.opened",
        "pull_request_review.submitted",
        "pull_request_review_comment.created",
    ]
    assert names == wanted
    assert got[2].data["review"]["state"] == "approved"
    assert [one.status for one in github.deliveries.made] == [202] * 4


def test_what_github_does_not_know_is_found(described: Description | Missing) -> None:
    """A made-up query, a wrong body, a path that is none: each is said."""
    if isinstance(described, Missing):
        pytest.skip(str(described))
    pulls = "/repos/{owner}/{repo}/pulls"
    fine = {"title": "t", "head": "h", "base": "b"}
    assert described.asked(Request("POST", "x", pulls, body=fine)) == []
    assert described.asked(Request("GET", "x", pulls, query={"state": "all", "per_page": "100"})) == []
    wrong = [
        Request("POST", "x", pulls, body={"title": "t"}),
        Request("POST", "x", pulls, body=fine | {"labels": []}),
        Request("POST", "x", pulls, body=fine | {"draft": "yes"}),
        Request("GET", "x", pulls, query={"status": "open"}),
        Request("GET", "x", pulls, query={"state": "merged"}),
        Request("GET", "x", pulls, query={"per_page": "1000"}),
        Request("PUT", "x", pulls),
        Request("GET", "x", "/repos/{owner}/{repo}/requests"),
    ]
    assert [bool(described.asked(one)) for one in wrong] == [True] * len(wrong)
    assert described.told(Request("GET", "x", pulls), 200, json.dumps([{"number": 1}]).encode())
