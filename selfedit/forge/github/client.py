"""Asking GitHub: one client, bounded in time and size, patient with limits, and silent about its credential.

An expected "no" is a `No`. Whatever else could not be found out is a `ForgeDown` with a sentence.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import gidgethub

from selfedit.forge.github.credentials import Credential
from selfedit.forge.github.limits import Pace, pause
from selfedit.forge.github.refusals import limited, refusal
from selfedit.forge.github.settings import GitHubSettings, Secret
from selfedit.forge.github.wire import FAULTS, Api, NotAnswered
from selfedit.ports import ForgeDown
from selfedit.words import one_line

PATIENCE = 40.0
"""Seconds in which an answer has to be there."""
TRIES = 3
"""How often a question is asked that changes nothing."""
PAGES = 20
"""So many pages of a hundred are read; what has more of them is not read in part."""


@dataclass(frozen=True, slots=True)
class No:
    """An answer that says no: its status, and what GitHub says of it."""

    status: int
    message: str


@dataclass(slots=True)
class Health:
    """How GitHub has answered so far.

    Attributes:
        answered: When it last did, in seconds of `time.time`; 0: never.
        trouble: What kept it from answering since; empty while it answers.
        refused: What it did not let Theseus write last, as a sentence; empty once it does.
        left, limit: How many requests are left of how many this hour; -1 where it does not say.
    """

    answered: float = 0.0
    trouble: str = ""
    refused: str = ""
    left: int = -1
    limit: int = -1


class Client:
    """Asks one GitHub as one account."""

    def __init__(self, settings: GitHubSettings, *, patience: float = PATIENCE, backoff: float = 0.5) -> None:
        """Prepare; nothing is asked yet, and no loop is needed.

        Args:
            settings: Which GitHub, and as whom.
            patience: Seconds in which an answer has to be there.
            backoff: Seconds before a question is repeated; they double with each time.
        """
        self._settings = settings
        self._patience, self._backoff = patience, backoff
        self.health = Health()
        self.credential = Credential(settings.credential, self._exchange)
        self._api: Api | None = None
        self._writing = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._closed_until = 0.0
        self._limits = 0
        self._pace = Pace()

    async def end(self) -> None:
        """Let go of the connections."""
        if self._api is not None:
            await self._api.close()
        self._api = None

    async def get(self, path: str, *, no: tuple[int, ...] = (), as_app: bool = False) -> Any:
        """One thing; a `No` where GitHub answers with one of the statuses in `no`.

        Args:
            path: Where it is.
            no: Statuses that are answers.
            as_app: Whether the App itself asks, and not its installation.

        Raises:
            ForgeDown: It could not be found out.
        """
        return _data(await self._ask("GET", path, b"", no, as_app=as_app))

    async def every(self, path: str, *, key: str = "", no: tuple[int, ...] = ()) -> list[Any] | No:
        """All of a list, page by page, where an object has it under `key`.

        Raises:
            ForgeDown: It could not be found out, or there is more than can be read.
        """
        found: list[Any] = []
        url = f"{path}{'&' if '?' in path else '?'}per_page=100"
        for _ in range(PAGES):
            got = await self._ask("GET", url, b"", no)
            if isinstance(got, No):
                return got
            page = got.data.get(key) if key and isinstance(got.data, dict) else got.data
            if not isinstance(page, list):
                self._fail("GitHub sent something else than the list that was asked for")
            found += page
            if not got.more:
                return found
            url = got.more
        return self._fail("there is more of it on GitHub than can be read")

    async def send(self, method: str, path: str, data: Any, *, no: tuple[int, ...] = ()) -> Any:
        """Change something. It is never repeated by itself: whether it happened may be unknown.

        Raises:
            ForgeDown: What it came to could not be found out.
        """
        async with self._writing:
            await asyncio.sleep(self._pace.before_writing(time.monotonic()))
            answer = _data(await self._ask(method, path, data, no))
            self.health.refused = ""
            return answer

    async def graphql(self, query: str, variables: Mapping[str, Any], *, changes: bool = False) -> Any:
        """The `data` of a GraphQL answer; a `No` where it holds errors.

        Raises:
            ForgeDown: It could not be found out.
        """
        body = {"query": query, "variables": dict(variables)}
        if changes:
            answer = await self.send("POST", self._settings.graphql, body)
        else:
            answer = _data(await self._ask("POST", self._settings.graphql, body, (), again=True))
        if not isinstance(answer, dict):
            self._fail("GitHub's answer makes no sense")
        errors = answer.get("errors")
        if errors:
            first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
            message = one_line(str(first.get("message") or "it gives no reason"), 200)
            if first.get("type") in ("RATE_LIMITED", "RATE_LIMIT"):
                self._close(60.0)
            return No(200, message)
        data = answer.get("data")
        if not isinstance(data, dict):
            self._fail("GitHub's answer makes no sense")
        return data

    # How a question is asked

    async def _ask(
        self,
        method: str,
        path: str,
        data: Any,
        no: tuple[int, ...],
        *,
        again: bool = False,
        as_app: bool = False,
    ) -> "_Got | No":
        tries = TRIES if method == "GET" or again else 1
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            self._open()
            token = None if as_app else await self.token()
            answer = await self._once(method, path, data, token, self.credential.jwt() if as_app else None)
            # Where nothing came, what is there is the date of an older answer.
            another_time = not isinstance(answer, _Broken) and self.credential.note_date(self._opened().date)
            if isinstance(answer, _Broken):
                if attempt >= tries or not answer.repeat:
                    self._fail(answer.why, answer.again)
                await asyncio.sleep(self._backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                continue
            if not isinstance(answer, No):
                self._well()
                return answer
            if answer.status == 401 and not renewed:  # noqa: PLR2004 - Unauthorized
                renewed = another_time if as_app else self.credential.forget()
                if renewed:
                    attempt -= 1
                    continue
            self._well()
            if answer.status in no:
                return answer
            self._refused(answer, path, changes=method != "GET" and not again)

    async def _once(
        self, method: str, path: str, data: Any, token: Secret | None, jwt: Secret | None
    ) -> "_Got | No | _Broken":
        """One request. Nothing of what a library raised leaves this place: it may carry headers."""
        api = self._opened()
        headers: Mapping[str, str] = {}
        try:
            answer, more, _ = await api.request(method, path, data, token, jwt)
        except gidgethub.HTTPException as error:
            status, message, headers = int(error.status_code), one_line(str(error), 300), error.headers
        except NotAnswered as error:
            return _Broken(error.why, error.again, error.repeat)
        except (gidgethub.GitHubException, *FAULTS):
            return _Broken("GitHub sent an answer that makes no sense", 60.0)
        else:
            self._count(api)
            return _Got(answer, more)
        self._count(api)
        seconds = pause(status, headers, message, self._limits)
        if seconds is not None:
            self._close(seconds)
        if status >= 500:  # noqa: PLR2004 - a fault of theirs
            return _Broken(f"GitHub has a fault of its own ({status})", 30.0)
        if status == 304:  # noqa: PLR2004 - Not Modified, where nothing was kept
            return _Broken("GitHub sent an answer that makes no sense", 60.0)
        if 300 <= status < 400:  # noqa: PLR2004 - a redirection that is not followed
            return _Broken(
                "GitHub sends on to another address; is GITHUB_REPOSITORY its name of today?", 600.0
            )
        return No(status, message)

    async def _exchange(self, path: str) -> Any:
        return _data(
            await self._ask("POST", path, b"", (), again=True, as_app=True)
        )  # a token more does no harm

    async def token(self) -> Secret:
        """What requests go with at this moment; git is given it as a password."""
        if not self.credential.is_app:
            return await self.credential.token()
        async with self._renewing:
            return await self.credential.token()

    def _opened(self) -> Api:
        if self._api is None:
            self._api = Api(self._settings, self._patience)
        return self._api

    # What became of it

    def _open(self) -> None:
        if (left := self._closed_until - time.monotonic()) > 0:
            raise ForgeDown(limited(left), left)

    def _close(self, seconds: float) -> NoReturn:
        self._limits += 1
        self._closed_until = time.monotonic() + seconds
        self._fail(limited(seconds), seconds)

    def _well(self) -> None:
        self.health.answered, self.health.trouble, self._limits = time.time(), "", 0

    def _fail(self, why: str, again: float = 60.0) -> NoReturn:
        self.health.trouble = why
        raise ForgeDown(why, again)

    def _refused(self, answer: No, path: str, *, changes: bool) -> NoReturn:
        why, again = refusal(
            answer.status,
            answer.message,
            urlsplit(path).path,
            repository=self._settings.repository,
            app=self.credential.is_app,
        )
        if changes and answer.status in (403, 404):
            self.health.refused = why
        self._fail(why, again)

    def _count(self, api: Api) -> None:
        if api.rate_limit is not None:
            self.health.left, self.health.limit = api.rate_limit.remaining, api.rate_limit.limit


@dataclass(frozen=True, slots=True)
class _Broken:
    """Nothing was found out."""

    why: str
    again: float
    repeat: bool = True
    """Whether the same question may be answered a moment later."""


def _data(answer: "_Got | No") -> Any:
    return answer if isinstance(answer, No) else answer.data


@dataclass(frozen=True, slots=True)
class _Got:
    """What was asked for, and where it goes on."""

    data: Any
    more: str | None
