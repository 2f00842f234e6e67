"""What several files of tests here are given: a file of turns, a small web, and tools made of data over it."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.records.turns import Turns
from tests.fakes.made_tools import World
from tests.fakes.web_server import Reply, Site, serving


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    """A fresh file."""
    opened = Turns(tmp_path / "turns.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A small web, with one interface for programs."""
    async with serving() as opened:
        opened.pages["/v1/Bern/now"] = Reply(
            json.dumps({"now": [{"text": "sun"}, {"text": "rain"}]}), kind="application/json"
        )
        yield opened


@pytest.fixture
async def world(site: Site, tmp_path: Path) -> AsyncIterator[World]:
    """All of it."""
    opened = World(site, tmp_path)
    yield opened
    opened.made.close()
    await opened.client.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "the shop #1.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "CREATE TABLE orders (id INTEGER, what TEXT); INSERT INTO orders VALUES (1, 'bread'), (2, NULL);"
            "CREATE VIEW big AS SELECT * FROM orders WHERE id > 1;"
        )
    return file
