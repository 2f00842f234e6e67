"""On the stand-in pull requests are opened, judged and merged as on GitHub."""

import aiohttp
import gidgethub
import gidgethub.abc
import pytest
from gidgethub.aiohttp import GitHubAPI

from tests.fakes.github.server import GitHub
from tests.fakes.github.things import Account, NotPossible
from tests.github.asking import REPO, RULES, client, opened, refused


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
