"""How the command line gets an answer: from the running steward, or else from a desk of its own."""

import asyncio
import contextlib
from collections.abc import Callable

from pydantic import BaseModel

from selfedit import protocol as say
from selfedit.commands import GitFailed
from selfedit.home import RepoLock, socket_path
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.repo import Repo, RepoProblem

Heard = Callable[[BaseModel], None]
"""Hears notices (progress, news) while the answer is awaited."""


async def ask(place: Place, question: BaseModel, heard: Heard) -> BaseModel:
    """Put one question.

    Raises:
        AlreadyRunning: A steward holds the repository but does not listen.
        ConnectionError: The steward ended before it answered.
    """
    answer = await ask_running(place, question, heard)
    return answer if answer is not None else await _by_myself(place, question, heard)


async def ask_running(place: Place, question: BaseModel, heard: Heard = lambda _: None) -> BaseModel | None:
    """Put one question to the running steward; None if none runs.

    Raises:
        ConnectionError: The steward ended before it answered.
    """

    async def hear(notice: BaseModel) -> None:
        heard(notice)

    try:
        peer = await say.connect(str(socket_path(place.home)), hear)
    except OSError:
        return None
    reading = asyncio.create_task(peer.run())
    try:
        answer: BaseModel = await peer.call(question)
        return answer
    finally:
        await peer.close()
        await asyncio.gather(reading, return_exceptions=True)


async def _in_step(desk: Desk) -> None:
    """Where `main` lives elsewhere: one look at what happened there, and at what is still to be done there."""
    if desk.reconciler is not None:
        await desk.reconciler.round()
        if desk.repo.main() != desk.record.newest and not await desk.mainline.adopt():
            await desk.reconciler.round()


async def _by_myself(place: Place, question: BaseModel, heard: Heard) -> BaseModel:
    lock = RepoLock(Repo(place.root, place.rules.repo.branch).common_dir)
    lock.acquire()
    try:
        desk = Desk(place, None, heard)
        try:
            with contextlib.suppress(GitFailed, RepoProblem):  # whoever only asks gets an answer all the same
                await desk.mainline.settle()
            if isinstance(question, say.Improve | say.Approve):
                await _in_step(desk)
                desk.adoption = await desk.mainline.adopt() or ""
            answer = await desk.answer(question) or say.Done()
            if isinstance(question, say.Reject | say.Rollback):
                await _in_step(desk)
            return answer
        finally:
            await desk.close()
    finally:
        lock.release()
