"""The stand-in for GitHub is one that an unmodified client and git take for GitHub."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
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
from tests.fakes.github.things import Account, NotPossible

REPO = "/repos/harbour/theseus"
RULES: dict[str, Any] = {"checks": ("check",), "reviews": 1, "dismiss_stale": True}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections of a client."""
    async with aiohttp.ClientSession() as one:
        yield one


def client(github: GitHub, session: aiohttp.ClientSession, token: str = "") -> GitHubAPI:
    """A client of somebody, of Theseus where nobody is named."""
    return GitHubAPI(session, "tests", oauth_token=token or github.token, base_url=github.api)


@pytest.fixture
def api(github: GitHub, session: aiohttp.ClientSession) -> GitHubAPI:
    """A client with the token of Theseus."""
    return client(github, session)


@pytest.fixture
def ann(github: GitHub) -> Account:
    """Somebody who may write."""
    return github.person("ann")


async def git(folder: Path, *command: str, token: str = "") -> tuple[int, str]:
    """Run git as a person does; its exit code and what it said."""
    process = await begun(folder, *command, token=token)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def begun(folder: Path, *command: str, token: str = "") -> asyncio.subprocess.Process:
    """Let git begin with something."""
    basic = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    env |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost"}
    env |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}
    env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"} if token else {}
    env |= {"GIT_CONFIG_VALUE_0": f"Authorization: {basic}"} if token else {}
    return await asyncio.create_subprocess_exec(
        *("git", *command),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


async def cloned(github: GitHub, folder: Path) -> Path:
    """A clone with one commit more than main, on `improve/1`."""
    assert (await git(folder, "clone", "--quiet", github.clone_url, "work", token=github.token))[0] == 0
    work = folder / "work"
    (work / "a.py").write_text("x = 1\n")
    for command in ("checkout -qb improve/1", "add .", "commit -qm One"):
        assert (await git(work, *command.split()))[0] == 0
    return work


async def opened(github: GitHub, api: GitHubAPI, branch: str = "improve/1", **more: Any) -> Any:
    """A pull request of Theseus from a new branch."""
    github.push(github.bot, branch, {f"{branch.replace('/', '_')}.py": "x = 1\n"})
    return await api.post(f"{REPO}/pulls", data={"title": "One", "head": branch, "base": "main", **more})


async def refused(status: int, asking: Any) -> str:
    """What was said to a request that is refused like that."""
    with pytest.raises(gidgethub.HTTPException) as told:
        await asking
    assert told.value.status_code == status
    return str(told.value)


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


async def test_a_pull_request_is_merged_by_its_expected_head(
    github: GitHub, api: GitHubAPI, ann: Account
) -> None:
    """A merge needs the right head, a review and its checks; then main is a merge of what it was and the head."""
    github.protect(**RULES)
    pull = await opened(github, api)
    url, head, main = f"{REPO}/pulls/{pull['number']}/merge", pull["head"]["sha"], github.main()
    said = await refused(405, api.put(url, data={"sha": head}))
    assert "At least 1 approving review is required" in said
    assert 'Required status check "check" is expected.' in said
    github.review(ann, 1, "APPROVED")
    github.run(head, "check", "failure")
    assert "failing" in await refused(405, api.put(url, data={"sha": head}))
    github.run(head, "check")
    assert "Head branch was modified" in await refused(409, api.put(url, data={"sha": "0" * 40}))
    merged = await api.put(url, data={"sha": head, "commit_title": "Merge it", "commit_message": "Because"})
    commit = github.git.commit(merged["sha"])
    assert commit is not None
    assert (commit.parents, commit.message, commit.sha) == (
        (main, head),
        "Merge it\n\nBecause",
        github.main(),
    )
    assert commit.committer[0] == "GitHub"
    shown = await api.getitem(f"{REPO}/pulls/1")
    assert (shown["merged"], shown["merged_by"]["login"], shown["state"]) == (True, "theseus-bot", "closed")
    assert github.git.find("refs/pull/1/head") == head


async def test_a_squash_has_one_parent_and_a_rebase_repeats_commits(
    github: GitHub, api: GitHubAPI, ann: Account
) -> None:
    """The other two ways of merging leave the head out of main's history, with the same tree."""
    for branch in ("one", "two"):
        await opened(github, api, branch)
    github.push(github.bot, "two", {"more.py": "y = 2\n"}, "More")
    main = github.main()
    first = github.git.commit(github.press_merge(ann, 1, "squash"))
    assert first is not None
    assert (first.parents, first.message) == ((main,), "One (#1)")
    second = github.git.commit(github.press_merge(ann, 2, "rebase"))
    assert second is not None
    assert (second.message, len(github.git.between(first.sha, second.sha))) == ("More", 2)
    assert github.git.text("main", "one.py") == "x = 1\n"


async def test_a_head_that_lacks_main_is_behind_where_that_is_asked_for(
    github: GitHub, api: GitHubAPI, ann: Account
) -> None:
    """With strict checks a head without what main is now is not merged, and its passed checks count as expected."""
    pull = await opened(github, api)
    head = pull["head"]["sha"]
    github.run(head, "check")
    github.push(ann, "main", {"other.py": "y = 1\n"})
    github.protect(checks=("check",), strict=True)
    await api.getitem(f"{REPO}/pulls/1")
    assert (await api.getitem(f"{REPO}/pulls/1"))["mergeable_state"] == "behind"
    said = await refused(405, api.put(f"{REPO}/pulls/1/merge", data={"sha": head}))
    assert 'Required status check "check" is expected.' in said
    github.protect(checks=("check",), strict=False)
    assert (await api.put(f"{REPO}/pulls/1/merge", data={"sha": head}))["merged"]


async def test_a_new_head_dismisses_approvals(github: GitHub, api: GitHubAPI, ann: Account) -> None:
    """A push takes approvals back where the branch's rules say so, and a head that was approved is not merged then."""
    github.protect(**RULES)
    pull = await opened(github, api)
    github.review(ann, 1, "APPROVED")
    github.push(ann, "improve/1", {"b.py": "y = 1\n"})
    (review,) = await api.getitem(f"{REPO}/pulls/1/reviews")
    assert (review["state"], review["commit_id"]) == ("DISMISSED", pull["head"]["sha"])
    assert "review is required" in await refused(405, api.put(f"{REPO}/pulls/1/merge", data={}))


async def test_code_owners_are_asked_and_waited_for(github: GitHub, api: GitHubAPI, ann: Account) -> None:
    """The owners of what is changed are requested as reviewers, and no other approval will do."""
    owner = github.person("olga", "maintain")
    github.push(ann, "main", {".github/CODEOWNERS": "* @olga\n/docs/ @ann\n"})
    github.protect(reviews=1, code_owners=True)
    pull = await opened(github, api)
    assert [one["login"] for one in pull["requested_reviewers"]] == ["olga"]
    github.review(ann, 1, "APPROVED")
    said = await refused(405, api.put(f"{REPO}/pulls/1/merge", data={}))
    assert "Waiting on code owner review from olga" in said
    github.review(owner, 1, "APPROVED")
    assert (await api.put(f"{REPO}/pulls/1/merge", data={}))["merged"]


async def test_the_queue_merges_when_its_own_commit_passed(
    github: GitHub, api: GitHubAPI, ann: Account
) -> None:
    """Where there is a queue nothing merges directly; what is queued becomes main with the commit that was checked."""
    github.protect(checks=("check",), queue=True)
    pull = await opened(github, api)
    head = pull["head"]["sha"]
    github.run(head, "check")
    assert "merge queue" in await refused(405, api.put(f"{REPO}/pulls/1/merge", data={"sha": head}))
    asked = (
        "mutation($i: EnqueuePullRequestInput!) { enqueuePullRequest(input: $i) { mergeQueueEntry { id } } }"
    )
    given = {"pullRequestId": pull["node_id"], "expectedHeadOid": "0" * 40}
    with pytest.raises(gidgethub.QueryError):
        await api.graphql(asked, endpoint=github.graphql, i=given)
    assert (await api.graphql(asked, endpoint=github.graphql, i=given | {"expectedHeadOid": head}))[
        "enqueuePullRequest"
    ]["mergeQueueEntry"]
    (entry,) = github.queue
    assert github.advance_queue() == []
    github.run(entry.trial, "check")
    assert github.advance_queue() == [1]
    assert (github.main(), github.pulls[1].merged, github.queue) == (entry.trial, True, [])
    assert ann.login not in {one.by for one in github.events}


async def test_a_pull_request_opens_once_and_with_commits_only(github: GitHub, api: GitHubAPI) -> None:
    """There is one open pull request a branch, none without commits, and none without its branch."""
    pull = await opened(github, api, draft=True)
    data = {"title": "Again", "head": "improve/1", "base": "main"}
    assert pull["draft"]
    assert "already exists" in await refused(422, api.post(f"{REPO}/pulls", data=data))
    github.git.move("refs/heads/empty", github.main())
    assert "No commits between" in await refused(
        422, api.post(f"{REPO}/pulls", data=data | {"head": "empty"})
    )
    await refused(422, api.post(f"{REPO}/pulls", data=data | {"head": "nowhere"}))
    listed = await api.getitem(f"{REPO}/pulls?head=harbour:improve/1&state=open")
    assert [one["number"] for one in listed] == [1]
    assert "work in progress" in await refused(405, api.put(f"{REPO}/pulls/1/merge", data={}))
    ready = "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }"
    await api.graphql(ready, endpoint=github.graphql, id=pull["node_id"])
    assert (await api.put(f"{REPO}/pulls/1/merge", data={}))["merged"]


async def test_what_reaches_main_by_a_push_counts_as_merged(
    github: GitHub, api: GitHubAPI, ann: Account
) -> None:
    """A pull request whose head became part of main is merged, whoever brought it there; without a branch it is closed."""
    pull = await opened(github, api)
    await opened(github, api, "two")
    github.force(ann, "main", pull["head"]["sha"])
    github.delete_branch(ann, "two")
    first, second = [await api.getitem(f"{REPO}/pulls/{number}") for number in (1, 2)]
    assert (first["merged"], first["merge_commit_sha"]) == (True, github.main())
    assert (second["merged"], second["state"]) == (False, "closed")
    assert (await api.getitem(f"{REPO}/issues/2"))["closed_by"]["login"] == "ann"
    with pytest.raises(NotPossible):
        github.reopen(ann, 2)


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


async def test_who_pushed_can_be_read(github: GitHub, api: GitHubAPI, ann: Account) -> None:
    """The activity of a branch names who put what there."""
    await opened(github, api)
    github.push(ann, "improve/1", {"b.py": "y = 1\n"})
    github.force(ann, "improve/1", github.pulls[1].base_sha)
    listed = await api.getitem(f"{REPO}/activity?ref=refs/heads/improve/1")
    told = [(one["activity_type"], one["actor"]["login"]) for one in listed]
    assert told == [("force_push", "ann"), ("push", "ann"), ("branch_creation", "theseus-bot")]


async def test_protection_is_set_and_read_by_administrators(
    github: GitHub, api: GitHubAPI, session: aiohttp.ClientSession
) -> None:
    """What is set is what binds; others learn only which checks are required."""
    root = client(github, session, github.person("root", "admin").token)
    checks = {"strict": True, "contexts": [], "checks": [{"context": "check"}]}
    said = {"required_status_checks": checks, "enforce_admins": True, "restrictions": None}
    said["required_pull_request_reviews"] = {
        "required_approving_review_count": 2,
        "dismiss_stale_reviews": True,
    }
    await root.put(f"{REPO}/branches/main/protection", data=said)
    shown = await root.getitem(f"{REPO}/branches/main/protection")
    assert shown["required_pull_request_reviews"]["required_approving_review_count"] == 2
    await refused(404, api.getitem(f"{REPO}/branches/main/protection"))
    branch = await api.getitem(f"{REPO}/branches/main")
    assert branch["protection"]["required_status_checks"]["contexts"] == ["check"]
    github.protect(reviews=1, checks=("check",), queue=True, ruleset=True)
    rules = await api.getitem(f"{REPO}/rules/branches/main")
    assert {"pull_request", "required_status_checks", "merge_queue"} <= {one["type"] for one in rules}


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
