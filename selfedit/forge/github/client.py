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
from selfedit.forge.github.limits import pause
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
BURST = 20.0
"""So many writes may follow one another at once. GitHub asks for a second between them where there are many."""


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
        left, limit: How many requests are left of how many this hour; -1 where it does not say.
    """

    answered: float = 0.0
    trouble: str = ""
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
        self._spare, self._counted = BURST, 0.0

    async def end(self) -> None:
        """Let go of the connections."""
        if self._api is not None:
            await self._api.close()
        self._api = None

    async def get(self, path: str, *, no: tuple[int, ...] = (), jwt: Secret | None = None) -> Any:
        """One thing; a `No` where GitHub answers with one of the statuses in `no`.

        Raises:
            ForgeDown: It could not be found out.
        """
        return _data(await self._ask("GET", path, b"", no, jwt))

    async def every(self, path: str, *, key: str = "", no: tuple[int, ...] = ()) -> list[Any] | No:
        """All of a list, page by page, where an object has it under `key`.

        Raises:
            ForgeDown: It could not be found out, or there is more than can be read.
        """
        found: list[Any] = []
        url = f"{path}{'&' if '?' in path else '?'}per_page=100"
        for _ in range(PAGES):
            got = await self._ask("GET", url, b"", no, None)
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
            await self._pace()
            return _data(await self._ask(method, path, data, no, None))

    async def graphql(self, query: str, variables: Mapping[str, Any], *, changes: bool = False) -> Any:
        """The `data` of a GraphQL answer; a `No` where it holds errors.

        Raises:
            ForgeDown: It could not be found out.
        """
        body = {"query": query, "variables": dict(variables)}
        if changes:
            answer = await self.send("POST", self._settings.graphql, body)
        else:
            answer = _data(await self._ask("POST", self._settings.graphql, body, (), None, again=True))
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
        jwt: Secret | None,
        *,
        again: bool = False,
    ) -> "_Got | No":
        tries = TRIES if method == "GET" or again else 1
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            self._open()
            token = None if jwt else await self.token()
            answer = await self._once(method, path, data, token, jwt)
            if isinstance(answer, _Broken):
                if attempt >= tries or not answer.repeat:
                    self._fail(answer.why, answer.again)
                await asyncio.sleep(self._backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                continue
            if not isinstance(answer, No):
                self._well()
                return answer
            if answer.status == 401 and jwt is None and not renewed and self.credential.forget():  # noqa: PLR2004 - Unauthorized
                renewed, attempt = True, attempt - 1
                continue
            self._well()
            if answer.status in no:
                return answer
            self._refused(answer, path)

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
        if 300 <= status < 400:  # noqa: PLR2004 - a redirection that is not followed
            return _Broken(
                "GitHub sends on to another address; is GITHUB_REPOSITORY its name of today?", 600.0
            )
        return No(status, message)

    async def _exchange(self, path: str, jwt: Secret) -> Any:
        return _data(await self._ask("POST", path, b"", (), jwt, again=True))  # a token more does no harm

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

    async def _pace(self) -> None:
        """Let a second pass for each write beyond a burst."""
        now = time.monotonic()
        self._spare = min(BURST, self._spare + now - self._counted) - 1
        self._counted = now
        if self._spare < 0:
            await asyncio.sleep(-self._spare)

    # What became of it

    def _open(self) -> None:
        if (left := self._closed_until - time.monotonic()) > 0:
            raise ForgeDown(_limited(left), left)

    def _close(self, seconds: float) -> NoReturn:
        self._limits += 1
        self._closed_until = time.monotonic() + seconds
        self._fail(_limited(seconds), seconds)

    def _well(self) -> None:
        self.health.answered, self.health.trouble, self._limits = time.time(), "", 0

    def _fail(self, why: str, again: float = 60.0) -> NoReturn:
        self.health.trouble = why
        raise ForgeDown(why, again)

    def _refused(self, answer: No, path: str) -> NoReturn:
        who = "GITHUB_APP_KEY as the key of GITHUB_APP_ID" if self.credential.is_app else "GITHUB_TOKEN"
        if answer.status == 401:  # noqa: PLR2004 - Unauthorized
            self._fail(f"GitHub does not accept {who} (any more): {answer.message}; give another", 300.0)
        what = urlsplit(path).path.removeprefix(f"/repos/{self._settings.repository}")
        if answer.status == 404 and what.startswith("/app/installations/"):  # noqa: PLR2004 - Not Found
            self._fail(
                "the App has no installation of the number in GITHUB_INSTALLATION_ID; that stands at the end of the address "
                "of its installation page",
                300.0,
            )
        if answer.status in (403, 404):
            self._fail(
                f"GitHub does not let this account at {what or 'the repository'} of {self._settings.repository} "
                f"({answer.status}: {answer.message}); look at its rights there",
                300.0,
            )
        self._fail(f"GitHub refused a request ({answer.status}: {answer.message})", 120.0)

    def _count(self, api: Api) -> None:
        if api.rate_limit is not None:
            self.health.left, self.health.limit = api.rate_limit.remaining, api.rate_limit.limit


def _limited(seconds: float) -> str:
    long = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} s"  # noqa: PLR2004 - from there in minutes
    return f"GitHub asks to be left alone for {long}, because there were many requests"


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
