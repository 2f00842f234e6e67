"""What becomes of webhooks: the steward is told to look where something may have changed, and of nothing else."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from bot.api.github import PATH
from bot.api.webhook import CONCERNS
from tests.fakes.github.server import GitHub
from tests.github.webhooks import NO_EXAMPLES, REPOSITORY, SECRET, Sent, edge, examples, said

ROOT = Path(__file__).parents[2]
KINDS = sorted({kind for kind, _ in examples()})
needs_examples = pytest.mark.skipif(not KINDS, reason=NO_EXAMPLES)


@needs_examples
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
async def test_each_of_githubs_own_examples_is_taken_and_wakes_the_steward_only_where_it_concerns_us(
    tmp_path: Path, *, form: bool
) -> None:
    """All of them, of every kind, are answered without a fault; those that may have changed something here are a hint each."""
    assert len(KINDS) == 58
    wrong: list[str] = []
    due = 0
    answered: Counter[str] = Counter()
    async with edge(tmp_path, now=iter(range(0, 10**6, 60)).__next__) as hooked:
        for at, (kind, payload) in enumerate(examples()):
            answer = await hooked.send(Sent.of(payload, kind, f"00000000-0000-0000-0000-{at:012}", form=form))
            answered[kind] += 1
            ours = (payload.get("repository") or {}).get("full_name") == REPOSITORY
            concerns = ours and kind in CONCERNS
            if kind == "push":
                concerns = ours and payload["ref"] == "refs/heads/main"
            due += concerns
            if (answer.status, answer.said["status"]) != (202, "accepted" if concerns else "ignored"):
                wrong.append(f"{kind}: {answer.status} {answer.said}")
            told = await hooked.counted()
            if told != due:
                wrong.append(f"{kind}: {told} hints in place of {due}")
    assert not wrong
    assert sorted(answered) == KINDS
    assert due > 40


@pytest.mark.parametrize("kind", sorted(CONCERNS))
async def test_every_kind_that_concerns_us_wakes_the_steward_once(tmp_path: Path, kind: str) -> None:
    """A minimal payload of ours is enough, for it is not believed anyway."""
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(Sent.of(said(ref="refs/heads/main"), kind))
        assert (answer.status, answer.said) == (202, {"status": "accepted"})
        assert await hooked.counted() == 1


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"action": "opened", "repository": {"full_name": "somebody/else"}}, "pull_request"),
        ({"action": "opened", "repository": {"full_name": f"{REPOSITORY}x"}}, "pull_request"),
        ({"action": "opened", "repository": {"full_name": ["Codertocat", "Hello-World"]}}, "pull_request"),
        ({"action": "opened", "repository": REPOSITORY}, "pull_request"),
        ({"action": "opened"}, "pull_request"),
        ({"action": "opened", "repository": None}, "pull_request"),
        (said(ref="refs/heads/improve/1-roll"), "push"),
        (said(ref="refs/tags/main"), "push"),
        (said(ref="main"), "push"),
        (said(ref={"refs/heads/main": 1}), "push"),
        (said(), "push"),
        (said(comment={"body": "/approve 1"}), "issue_comment"),
        (said(), "star"),
        (said(), "a_kind_of_tomorrow"),
        (said(zen="Keep it logically awesome.", hook_id=1), "ping"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
async def test_what_concerns_another_or_changes_nothing_is_taken_and_wakes_nobody(
    tmp_path: Path, payload: dict[str, object], kind: str
) -> None:
    """GitHub is told that it came, so that it does not come again; no hint leaves."""
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(Sent.of(payload, kind))
        assert (answer.status, answer.said["status"]) == (202, "ignored")
        assert await hooked.counted() == 0


async def test_the_name_of_the_repository_is_read_as_github_reads_it(tmp_path: Path) -> None:
    """Upper and lower case are the same in a repository's name."""
    async with edge(tmp_path, repository=REPOSITORY.upper()) as hooked:
        assert (await hooked.send(Sent.of(said()))).said == {"status": "accepted"}
        assert await hooked.counted() == 1


async def test_out_of_order_is_no_matter(tmp_path: Path) -> None:
    """Events of one pull request, told backwards, are a hint each: what they say is not believed."""
    async with edge(tmp_path) as hooked:
        for at, action in enumerate(["closed", "synchronize", "ready_for_review", "opened"], start=1):
            assert (await hooked.send(Sent.of(said(action=action)))).said == {"status": "accepted"}
            assert await hooked.counted() == at


async def test_what_happens_on_the_stand_in_is_told_by_its_own_webhooks(
    tmp_path: Path, github: GitHub
) -> None:
    """A pull request and a review there, signed and sent by the stand-in itself, are hints; a comment is none."""
    async with edge(tmp_path, repository=github.repository, gathers=True) as hooked:
        github.webhook(f"http://127.0.0.1:{hooked.port}{PATH}", SECRET)
        ann, bob = github.person("ann"), github.person("bob")
        github.push(ann, "wording", {"README.md": "better\n"}, "wording")
        number = github.open(ann, "wording", "Better wording")
        await github.delivered()
        assert await hooked.counted() == 1
    async with edge(tmp_path, repository=github.repository, gathers=True) as hooked:
        github.webhook(f"http://127.0.0.1:{hooked.port}{PATH}", SECRET)
        github.comment(bob, number, "/approve 1")
        await github.delivered()
        assert await hooked.counted() == 0
        github.review(bob, number, "APPROVED")
        await github.delivered()
        assert await hooked.counted() == 1


async def test_a_hundred_at_once_are_all_taken_and_are_one_hint(tmp_path: Path) -> None:
    """What comes in one moment wakes the steward once, and nobody waits for it."""
    async with edge(tmp_path, gathers=True) as hooked:
        every = [hooked.send(Sent.of(said(number=number))) for number in range(100)]
        answers = await asyncio.gather(*every)
        assert Counter(each.status for each in answers) == {202: 100}
        assert await hooked.counted() == 1
        again = await asyncio.gather(*(hooked.send(Sent.of(said(number=number))) for number in range(100)))
        assert Counter(each.said.get("why") for each in again) == {"heard before": 100}
        assert await hooked.counted() == 1
