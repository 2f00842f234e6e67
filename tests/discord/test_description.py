"""Requests are held against Discord's own description of its interface."""

from typing import Any

import aiohttp
import pytest

from tests.fakes.discord.description import LACKING, Description, Missing
from tests.fakes.discord.rest import Call, Route
from tests.fakes.discord.server import serving

ONE = "1573789854649548800"


@pytest.fixture
def description(described: Description | Missing) -> Description:
    """The description; without one there is nothing to be said here."""
    if isinstance(described, Missing):
        pytest.skip(str(described))
    return described


def call(method: str, template: str, body: Any = None, **query: str) -> Call:
    """A request in some channel, about some message."""
    parts = {name: ONE for name in ("channel_id", "message_id") if name in template}
    return Call(method, template, template, parts, query, body)


MESSAGES = "/channels/{channel_id}/messages"


@pytest.mark.parametrize(
    "fine",
    [
        call("POST", MESSAGES, {"content": "x", "message_reference": {"message_id": int(ONE)}}),
        call("POST", MESSAGES, {"embeds": [{"title": "x", "fields": [{"name": "a", "value": "b"}]}]}),
        call("PATCH", MESSAGES + "/{message_id}", {"content": None, "tts": False}),
        call("GET", MESSAGES, limit="100", before=ONE),
        call("PUT", MESSAGES + "/{message_id}/reactions/{emoji_name}/@me"),
    ],
    ids=str,
)
def test_what_discord_takes_fits(description: Description, fine: Call) -> None:
    """Nothing is said of requests as the client makes them."""
    assert description.faults(fine) == []


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        (call("POST", MESSAGES, {"content": 7}), "content"),
        (call("POST", MESSAGES, {"content": "x" * 4001}), "content"),
        (call("POST", MESSAGES, {"contents": "x"}), "contents"),
        (call("POST", MESSAGES, {"embeds": [{"titel": "x"}]}), "titel"),
        (call("POST", MESSAGES, {"embeds": [{}] * 11}), "embeds"),
        (call("POST", MESSAGES, {"components": [{"type": 1, "components": []}]}), "components"),
        (call("GET", MESSAGES, limit="many"), "limit"),
        (call("GET", MESSAGES, sort="asc"), "sort"),
        (call("GET", MESSAGES, {"limit": 1}), "body"),
        (call("PATCH", MESSAGES), "no such operation"),
        (call("POST", "/channels/{channel_id}/message", {"content": "x"}), "no such operation"),
    ],
    ids=str,
)
def test_what_discord_would_not_take_is_said(description: Description, wrong: Call, about: str) -> None:
    """A wrong field, type, length, query, method or path is named."""
    (fault,) = description.faults(wrong)
    assert about in fault


def test_an_id_that_is_none_is_said(description: Description) -> None:
    """A path needs ids where the description has them."""
    wrong = Call("GET", "/channels/x", "/channels/{channel_id}", {"channel_id": "x"}, {})
    assert description.faults(wrong) == ["channel_id is 'x', which is no id"]


async def test_every_operation_of_the_stand_in_is_discords(description: Description) -> None:
    """What the stand-in serves is what the description has, by the same names."""
    async with serving() as server:
        served = server.rest.routes
    assert len(served) > 60
    assert [
        route for route in served if description.faults(_empty(route)) == ["there is no such operation"]
    ] == []


def test_every_exception_has_an_operation(description: Description) -> None:
    """What is passed over belongs to operations that there are."""
    for name, _ in LACKING:
        method, _, template = name.partition(" ")
        assert "there is no such operation" not in description.faults(
            Call(method, template, template, {}, {})
        )


async def test_a_request_that_does_not_fit_fails_the_test() -> None:
    """The stand-in ends with an error that names method, path and what is wrong."""
    with pytest.raises(AssertionError, match="GET /gateway: made up"):
        async with serving(lambda _call: ["made up"]) as server, aiohttp.ClientSession() as session:
            await session.get(server.api + "/gateway")


def _empty(route: Route) -> Call:
    return Call(route.method, route.path, route.path, {}, {})
