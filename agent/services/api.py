"""Calls of interfaces for programs, for tools that people made as data: JSON or text, at a pace, and nothing else."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from agent.ports import Got, Sent, Unanswered
from agent.services.web import Client
from agent.tool import ToolRefused
from policies.limits import too_often
from policies.load import WebRules

KINDS = (
    "application/json",
    "application/problem+json",
    "application/ld+json",
    "application/geo+json",
    "text/plain",
)
_HOSTS = 1000
_FINE = 2


class Calling:
    """Makes the calls. Each host is asked so many times in a minute, whoever asks. Satisfies `agent.ports.Api`."""

    def __init__(self, client: Client, rules: WebRules, clock: Callable[[], float] = time.time) -> None:
        """Put it together.

        Args:
            client: The guarded way to the net.
            rules: Pace, size and time.
            clock: Seconds since the epoch.
        """
        self._client = client
        self._rules = rules
        self._clock = clock
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    async def send(self, sent: Sent) -> Got:
        """Make one call.

        Raises:
            ToolRefused: The address, the pace or the answer is not allowed, or there was none in time.
            Unanswered: The same of a call that may have changed something by then.
        """
        self._pace(self._client.judge(sent.url, sent.method).host)
        try:
            return await self._answer(sent)
        except ToolRefused as problem:
            if sent.method == "GET":
                raise
            raise Unanswered(str(problem)) from problem

    async def _answer(self, sent: Sent) -> Got:
        headers = {"Accept": "application/json", **sent.headers}
        if sent.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self._client.send(
                sent.method,
                sent.url,
                kinds=KINDS,
                most_bytes=self._rules.api_bytes,
                headers=headers,
                body=sent.body,
            )
        except TimeoutError as error:
            raise ToolRefused(f"there was no answer within {self._rules.seconds:g} s; try later") from error
        if answer.status // 100 != _FINE:
            raise ToolRefused(f"{answer.target.host} answers with status {answer.status}")
        if answer.cut:
            raise ToolRefused(f"its answer is longer than {self._rules.api_bytes:,} bytes; ask for less")
        return Got(answer.target.url, answer.kind, answer.body.decode(errors="replace"))

    def _pace(self, host: str) -> None:
        now = self._clock()
        asked = self._asked.setdefault(host, deque(maxlen=self._rules.api_calls_a_minute))
        if (over := too_often(asked, self._rules.api_calls_a_minute, now, host)) is not None:
            raise ToolRefused(over.told(now))
        asked.append(now)
        self._asked.move_to_end(host)
        while len(self._asked) > _HOSTS:
            self._asked.popitem(last=False)
