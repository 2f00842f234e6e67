"""The gate's word on a head: a check run with remarks on lines, or, with a token, which may make none, a status."""

from typing import Any

from selfedit.forge.github.hub import Hub
from selfedit.forge.github.payload import Fields, rows
from selfedit.forge.github.reading import account
from selfedit.forge.github.verdicts import ANNOTATIONS, GATE, Word


async def say(hub: Hub, head: str, word: Word, number: int) -> None:
    """Let GitHub show the gate's word on a commit there. Nothing is written where it shows it already.

    Args:
        hub: The repository.
        head: The commit.
        word: What the gate says.
        number: The proposal's.

    Raises:
        ForgeDown: It could not be done.
    """
    if (await hub.me()).app:
        await _check_run(hub, head, word, number)
    else:
        await _status(hub, head, word)


async def _status(hub: Hub, head: str, word: Word) -> None:
    me = (await hub.me()).account.id
    state = "pending" if not word.done else "success" if word.passed else "failure"
    listed = await hub.client.every(f"{hub.base}/commits/{head}/statuses")
    ours = [
        one
        for one in rows(listed, "statuses")
        if one.text("context") == GATE and account(one.maybe("creator")).id == me
    ]
    newest = max(ours, key=lambda one: one.number("id"), default=None)
    if newest is not None and (newest.text("state"), newest.text("description", default="")) == (
        state,
        word.title,
    ):
        return
    body = {"state": state, "context": GATE, "description": word.title}
    await hub.client.send("POST", f"{hub.base}/statuses/{head}", body)


async def _check_run(hub: Hub, head: str, word: Word, number: int) -> None:
    app = (await hub.me()).app
    listed = await hub.client.every(
        f"{hub.base}/commits/{head}/check-runs?check_name=theseus%2Fgate&filter=latest", key="check_runs"
    )
    ours = [one for one in rows(listed, "check runs") if _from(one, app)]
    newest = max(ours, key=lambda one: one.number("id"), default=None)
    wanted: dict[str, Any] = {"status": "completed" if word.done else "in_progress"}
    if word.done:
        wanted["conclusion"] = "success" if word.passed else "failure"
    output = {"title": word.title, "summary": word.summary}
    shown = 0
    if newest is not None and _says(newest, wanted, output):
        run, shown = newest.number("id"), newest.object("output").number("annotations_count", default=0)
    elif newest is not None and newest.text("status") != "completed":
        run = newest.number("id")
        first = list(word.annotations[:ANNOTATIONS])
        body = {**wanted, "output": {**output, "annotations": first}}
        await hub.client.send("PATCH", f"{hub.base}/check-runs/{run}", body)
        shown = len(first)
    else:  # what has ended stays as it was: its remarks could only grow
        first = list(word.annotations[:ANNOTATIONS])
        body = {"name": GATE, "head_sha": head, "external_id": str(number), **wanted}
        made = await hub.client.send(
            "POST", f"{hub.base}/check-runs", {**body, "output": {**output, "annotations": first}}
        )
        run, shown = Fields(made, "a check run").number("id"), len(first)
    while shown < len(word.annotations):
        more = list(word.annotations[shown : shown + ANNOTATIONS])
        await hub.client.send(
            "PATCH", f"{hub.base}/check-runs/{run}", {"output": {**output, "annotations": more}}
        )
        shown += len(more)


def _from(run: Fields, app: int) -> bool:
    by = run.maybe("app")
    return by is not None and by.number("id") == app


def _says(run: Fields, wanted: dict[str, Any], output: dict[str, str]) -> bool:
    said = run.maybe("output")
    return (
        said is not None
        and run.text("status") == wanted["status"]
        and run.text("conclusion", default="") == wanted.get("conclusion", "")
        and said.text("title", default="") == output["title"]
        and said.text("summary", default="").strip() == output["summary"].strip()
    )
