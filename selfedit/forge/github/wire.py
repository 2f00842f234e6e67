"""One request to GitHub: bounded in time and size, to one host, with answers kept for asking whether they changed."""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from gidgethub.abc import GitHubAPI

from selfedit.forge.github.settings import GitHubSettings, Secret

VERSION = "2022-11-28"
"""The version of GitHub's REST interface that this is written for."""
WIDEST = 5 * 1024 * 1024
"""Bytes of the longest answer that is read."""
KEPT, KEPT_BYTES = 256, 128 * 1024
"""So many answers are kept for asking whether they changed, none of them longer than this."""
HOPS = 3
"""Redirections that are followed, all within the host."""
FAULTS = (ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError, OSError)
"""What reading an answer that makes no sense may end with, in the libraries that read it."""


class NotAnswered(Exception):
    """Nothing was found out; it holds a sentence, and nothing of the request."""

    def __init__(self, why: str, again: float = 30.0, *, repeat: bool = True) -> None:
        super().__init__(why)
        self.why, self.again, self.repeat = why, again, repeat


class _Kept(OrderedDict[str, Any]):
    """Answers by address, the ones longest unused forgotten first."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > KEPT:
            self.popitem(last=False)


class Api(GitHubAPI):
    """gidgethub's client over a session whose answers are bounded, and which goes to no other host."""

    def __init__(self, settings: GitHubSettings, patience: float) -> None:
        super().__init__("theseus", cache=_Kept(), base_url=settings.api)
        secure = settings.api.startswith("https:")
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=patience, connect=patience / 4),
            connector=aiohttp.TCPConnector(
                limit=4,
                ssl=ssl.create_default_context(cafile=settings.authorities or None) if secure else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # it would read the machine's .netrc
        )
        self._proxy = settings.proxy
        self._home = _origin(settings.api)
        self.date = ""
        """What the last answer said that the time is."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def request(
        self, method: str, path: str, data: Any, token: Secret | None, jwt: Secret | None
    ) -> tuple[Any, str | None, int]:
        """One request, by gidgethub's way of making them; what is in braces in `path` is no template here."""
        return await self._make_request(
            method,
            path.replace("{", "%7B").replace("}", "%7D"),
            {},
            data,
            "application/vnd.github+json",
            oauth_token=token.reveal() if token else None,
            jwt=jwt.reveal() if jwt else None,
            extra_headers={"x-github-api-version": VERSION},
        )

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        for _ in range(HOPS + 1):
            if _origin(url) != self._home:
                raise NotAnswered(
                    "GitHub sends on to another host, which gets no credential; is GITHUB_API_URL right?",
                    600.0,
                    repeat=False,
                )
            status, said, read = await self._bounded(method, url, headers, body)
            self.date = said.get("date", "")
            said.pop("last-modified", None)  # of a second; what changes within it would not be seen
            onward = said.get("location", "")
            kept = status in (307, 308) or (method == "GET" and status in (301, 302))
            if not onward or not kept:
                if len(read) > KEPT_BYTES:
                    said.pop("etag", None)
                return status, said, read
            url = urljoin(url, onward)
        raise NotAnswered("GitHub sends in circles", 600.0, repeat=False)

    async def _bounded(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        why, repeat = "", True
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                data=_unrepeatable(body) if body else None,
                allow_redirects=False,
                proxy=self._proxy.reveal() if self._proxy else None,
            ) as answer:
                read = bytearray()
                async for piece in answer.content.iter_chunked(65536):
                    read += piece
                    if len(read) > WIDEST:
                        why = "GitHub sent an answer that is too long to read"
                        break
                else:
                    return answer.status, {k.lower(): v for k, v in answer.headers.items()}, bytes(read)
        except TimeoutError:
            why, repeat = "GitHub does not answer in time", False
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
            why = "GitHub's certificate is not one that is trusted here"
        except (aiohttp.ClientError, *FAULTS):
            why = "GitHub cannot be reached"
        # Outside of the block, so that nothing keeps the library's exception: it holds the request's headers.
        raise NotAnswered(why, repeat=repeat)

    async def sleep(self, seconds: float) -> None:
        """Wait; asked for by gidgethub's interface."""
        await asyncio.sleep(seconds)


async def _unrepeatable(body: bytes) -> AsyncIterator[bytes]:
    """A body that can be sent once: aiohttp would repeat a PUT by itself where the connection breaks."""
    yield body


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port
