"""What happens to pull requests: opening, pushes to their branches, merging, closing, the queue."""

from tests.fakes.github import rules
from tests.fakes.github.git import GITHUB
from tests.fakes.github.state import World, signature
from tests.fakes.github.things import Account, How, Json, Mark, NotPossible, Pull, Queued

DRAFT = "Pull Request is still a work in progress"
CONFLICT = "Pull Request is not mergeable"


class Modified(NotPossible):
    """The head is another one than whoever merges believes."""


def tell(world: World, pull: Pull, action: str, by: Account, **more: object) -> None:
    """Tell of something that happened to a pull request."""
    pull.updated = world.now()
    world.emit(
        "pull_request", action, by, f"#{pull.number}", {"number": pull.number, "pull_request": pull, **more}
    )


def opened(world: World, pull: Pull, by: Account) -> None:
    """Take up a new pull request."""
    world.pulls[pull.number] = pull
    refresh(world, pull)
    ask_owners(world, pull)
    tell(world, pull, "opened", by)


def mark(world: World, pull: Pull, by: Account, *, draft: bool) -> None:
    """Convert a pull request to a draft, or mark it as ready for review."""
    if pull.draft == draft:
        return
    pull.draft = draft
    event = "convert_to_draft" if draft else "ready_for_review"
    pull.marks.append(Mark(world.id(), event, by, world.now()))
    if not draft:
        ask_owners(world, pull)
    tell(world, pull, "converted_to_draft" if draft else event, by)


def ask_owners(world: World, pull: Pull) -> None:
    """Request reviews of the owners of what is changed, once it is no draft."""
    if pull.draft:
        return
    for name in sorted(set().union(*rules.owned(world, pull))):
        one = world.accounts.get(name)
        if one is not None and one.may("write") and one is not pull.by and one not in pull.asked:
            pull.asked.append(one)


def refresh(world: World, pull: Pull) -> None:
    """Let `refs/pull/N/head` and `/merge` be what they are now."""
    git = world.git
    git.move(f"refs/pull/{pull.number}/head", pull.head)
    if not pull.open:
        git.move(f"refs/pull/{pull.number}/merge", "")
        return
    pull.base_sha = git.branch(pull.base)
    tree = git.merged_tree(pull.base_sha, pull.head)
    trial = f"Merge {pull.head} into {pull.base_sha}"
    pull.merge_sha = git.write(tree, [pull.base_sha, pull.head], trial, GITHUB) if tree else ""
    git.move(f"refs/pull/{pull.number}/merge", pull.merge_sha)


def pushed(world: World, by: Account, ref: str, old: str, new: str, *, kind: str = "") -> None:
    """Draw the consequences of a ref that was moved; nothing of that is asked for any more."""
    world.moved(by, ref, old, new, kind)
    name = ref.removeprefix("refs/heads/")
    forced = bool(old and new) and not world.git.within(old, new)
    body = {"ref": ref, "before": old or "0" * 40, "after": new or "0" * 40, "created": not old}
    world.emit("push", "", by, name, body | {"deleted": not new, "forced": forced, "commits": []})
    if not ref.startswith("refs/heads/"):
        return
    for pull in [one for one in world.pulls.values() if one.open]:
        if pull.branch == name and not new:
            close(world, pull, by)
        elif pull.branch == name:
            _new_head(world, pull, by, old, new)
        elif pull.base == name and new and world.git.within(pull.head, new):
            landed(world, pull, by, new)
        elif pull.base == name and new:
            refresh(world, pull)


def _new_head(world: World, pull: Pull, by: Account, old: str, new: str) -> None:
    pull.head, pull.last_pusher = new, by
    refresh(world, pull)
    rule = rules.protection(world, pull.base)
    if rule is not None and rule.dismiss_stale:
        for review in pull.reviews:
            if review.state == "APPROVED":
                review.state = "DISMISSED"
                body = {"pull_request": pull, "review": review}
                world.emit("pull_request_review", "dismissed", by, f"#{pull.number} (stale)", body)
    if pull.queued is not None:
        dequeue(world, pull, by)
    tell(world, pull, "synchronize", by, before=old, after=new)


def landed(world: World, pull: Pull, by: Account, commit: str) -> None:
    """Write down that a pull request is merged."""
    pull.open, pull.merged, pull.merge_sha, pull.merged_by = False, True, commit, by
    pull.closed_at = pull.merged_at = world.now()
    pull.closed_by = by
    refresh(world, pull)
    tell(world, pull, "closed", by)
    if world.settings["delete_branch_on_merge"] and (there := world.git.branch(pull.branch)):
        world.git.move(f"refs/heads/{pull.branch}", "")
        pushed(world, by, f"refs/heads/{pull.branch}", there, "")


def close(world: World, pull: Pull, by: Account) -> None:
    """Close a pull request without merging it."""
    pull.open, pull.closed_by, pull.closed_at = False, by, world.now()
    if pull.queued is not None:
        dequeue(world, pull, by)
    refresh(world, pull)
    tell(world, pull, "closed", by)


def reopen(world: World, pull: Pull, by: Account) -> None:
    """Open it again, where its branch still is what it was."""
    there = world.git.branch(pull.branch)
    if pull.merged or not there or not world.git.within(pull.head, there):
        raise NotPossible("state cannot be changed. The branch was force-pushed, recreated or deleted.")
    if any(one.open and one.branch == pull.branch and one.base == pull.base for one in world.pulls.values()):
        raise NotPossible(
            f"state cannot be changed. There is already an open pull request from {pull.branch}."
        )
    pull.open, pull.closed_by, pull.closed_at, pull.head = True, None, None, there
    refresh(world, pull)
    tell(world, pull, "reopened", by)


def merge(
    world: World,
    pull: Pull,
    by: Account,
    how: How = "merge",
    *,
    head: str = "",
    title: str = "",
    message: str | None = None,
) -> str:
    """Merge a pull request as its button does; the commit that its base becomes.

    Raises:
        Modified: `head` is not its head.
        NotPossible: It cannot be merged, or the rules do not let it.
    """
    if pull.merged or not pull.open:
        raise NotPossible("Pull Request is not mergeable")
    if pull.draft:
        raise NotPossible(DRAFT)
    if head and head != pull.head:
        raise Modified("Head branch was modified. Review and try the merge again.")
    if not world.settings[f"allow_{'merge_commit' if how == 'merge' else how + '_merge'}"]:
        raise NotPossible(
            f"{how.capitalize()} merges are not allowed on this repository.".replace("Merge m", "M")
        )
    if not pull.merge_sha:
        raise NotPossible(CONFLICT)
    if against := rules.missing(world, pull, by=by):
        raise NotPossible(" ".join(against))
    commit = _made(world, pull, by, how=how, title=title, message=message)
    _move_base(world, pull, by, commit)
    return commit


def _move_base(world: World, pull: Pull, by: Account, commit: str, kind: str = "pr_merge") -> None:
    old = world.git.branch(pull.base)
    world.git.move(f"refs/heads/{pull.base}", commit)
    landed(world, pull, by, commit)
    pushed(world, by, f"refs/heads/{pull.base}", old, commit, kind=kind)


def _made(world: World, pull: Pull, by: Account, *, how: How, title: str, message: str | None) -> str:
    git, base = world.git, world.git.branch(pull.base)
    rule = rules.protection(world, pull.base)
    if how == "merge" and rule is not None and rule.linear:
        raise NotPossible("Merge commits are not allowed on this repository.")
    if how == "rebase":
        return git.rebased(base, pull.head, signature(by))
    tree = git.merged_tree(base, pull.head)
    if not tree:
        raise NotPossible(CONFLICT)
    if how == "squash":
        first = title or f"{pull.title} (#{pull.number})"
        parents, author, rest = [base], signature(pull.by), message
    else:
        first = title or f"Merge pull request #{pull.number} from {world.owner.login}/{pull.branch}"
        parents, author, rest = [base, pull.head], signature(by), pull.title if message is None else message
    return git.write(tree, parents, f"{first}\n\n{rest or ''}".strip() + "\n", author)


def enqueue(world: World, pull: Pull, by: Account, head: str = "") -> Queued:
    """Put a pull request into the merge queue of its base."""
    rule = rules.protection(world, pull.base)
    if rule is None or not rule.queue:
        raise NotPossible(f"There is no merge queue for {pull.base}.")
    if head and head != pull.head:
        raise Modified("Head branch was modified. Review and try the merge again.")
    if pull.draft or not pull.open or not pull.merge_sha:
        raise NotPossible(
            f"Pull request #{pull.number} is not mergeable: it is closed, a draft, or has conflicts."
        )
    if pull.queued is not None:
        raise NotPossible(f"Pull request #{pull.number} is already in the queue.")
    if against := rules.missing(world, pull, by=by, queued=True):
        raise NotPossible(" ".join(against))
    pull.queued = Queued(world.id(), pull.number, by, pull.head, world.now())
    world.queue.append(pull.queued)
    tell(world, pull, "enqueued", by)
    _try(world, pull, pull.queued)
    return pull.queued


def _group(pull: Pull, base: str) -> str:
    return f"refs/heads/gh-readonly-queue/{pull.base}/pr-{pull.number}-{base}"


def _try(world: World, pull: Pull, entry: Queued) -> None:
    """Make the commit that the queue would put on the base, and ask for checks of it."""
    git, base = world.git, world.git.branch(pull.base)
    tree = git.merged_tree(base, pull.head)
    if not tree:
        entry.trial = ""
        return
    title = f"Merge pull request #{pull.number} from {world.owner.login}/{pull.branch}\n\n{pull.title}\n"
    entry.trial = git.write(tree, [base, pull.head], title, signature(entry.by))
    git.move(_group(pull, base), entry.trial)
    body: Json = {"head_sha": entry.trial, "head_ref": _group(pull, base), "base_sha": base}
    body["base_ref"] = f"refs/heads/{pull.base}"
    world.emit("merge_group", "checks_requested", entry.by, f"#{pull.number}", {"merge_group": body})


def dequeue(world: World, pull: Pull, by: Account) -> None:
    """Take a pull request out of the queue."""
    entry, pull.queued = pull.queued, None
    if entry is None:
        return
    world.queue.remove(entry)
    for ref in world.git.refs(f"refs/heads/gh-readonly-queue/{pull.base}/"):
        if ref.startswith(_group(pull, "")):
            world.git.move(ref, "")
    tell(world, pull, "dequeued", by)


def advance(world: World) -> list[int]:
    """Merge what stands first in the queue as long as its checks passed; what failed falls out."""
    done = []
    while world.queue:
        entry = world.queue[0]
        pull = world.pulls[entry.pull]
        parents = found.parents if (found := world.git.commit(entry.trial)) else ()
        if world.git.branch(pull.base) not in parents:
            _try(world, pull, entry)  # the base has moved on
        rule = rules.protection(world, pull.base)
        against = list(rules.checks_missing(world, rule, entry.trial)) if rule is not None else []
        if not entry.trial or any("failing" in one for one in against):
            dequeue(world, pull, world.ghost)
        elif against:
            break
        else:
            dequeue(world, pull, entry.by)
            _move_base(world, pull, entry.by, entry.trial, "merge_queue_merge")
            done.append(pull.number)
    return done
