"""Each tool hands what it was asked to the service that it is lent, and marks what came from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agent.live.tools.fetch_page import fetch_page
from agent.live.tools.query_data import query_data
from agent.live.tools.read_file import read_file
from agent.live.tools.run_code import run_code
from agent.live.tools.search_web import search_web
from agent.tool import Context, Found, Page, Part, Result, Run, ToolRefused


@dataclass
class Lent:
    """Stands for each service, and notes what it was asked."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    text: str = "text"
    cached: bool = False

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Two hits."""
        self.asked.append((query, most))
        return [Found("One", "https://a.example/", "first"), Found("Two", "https://b.example/")]

    async def fetch(self, url: str) -> Page:
        """A page that has moved."""
        self.asked.append((url,))
        return Page(f"{url}moved", "Title", "words", self.cached)

    async def python(self, code: str, seconds: float) -> str:
        """What a program printed."""
        self.asked.append((code, seconds))
        return "printed"

    async def tables(self) -> str:
        """One table."""
        return "shop.orders (id)"

    async def query(self, sql: str, most: int) -> str:
        """One row."""
        self.asked.append((sql, most))
        return "id\n1"

    async def read(self, path: str, most_bytes: int, first: int = 1, lines: int = 400) -> Part:
        """Lines of a file."""
        self.asked.append((path, most_bytes))
        every = self.text.split("\n")
        shown = every[first - 1 : first - 1 + lines]
        return Part("\n".join(shown), len(shown), len(every))


def lent(service: str, stand_in: Lent) -> Context:
    return Context(caller="console:ann", conversation="c", lent={service: stand_in})


async def called(run: Run, context: Context, *args: object) -> Result:
    result = await run(context, *args)
    assert isinstance(result, Result)
    assert result.untrusted
    return result


async def test_search_lists_title_address_and_snippet() -> None:
    """Hits are numbered, and their addresses are sources."""
    web = Lent()
    result = await called(search_web, lent("web", web), "bread", 5)
    assert result.text == "1. One\nhttps://a.example/\nfirst\n\n2. Two\nhttps://b.example/"
    assert result.sources == ("https://a.example/", "https://b.example/")
    assert result.data[0] == {"title": "One", "url": "https://a.example/", "snippet": "first"}
    assert web.asked == [("bread", 5)]


async def test_a_page_names_where_it_was_found() -> None:
    """The address after all redirects is what is cited; a page that was kept says so."""
    result = await called(fetch_page, lent("web", Lent()), "https://a.example/")
    assert result.text == "Title\nhttps://a.example/moved\n\nwords"
    assert result.sources == ("https://a.example/moved",)
    kept = await called(fetch_page, lent("web", Lent(cached=True)), "https://a.example/")
    assert "read a while ago" in kept.text


async def test_code_goes_to_the_sandbox() -> None:
    """A program is handed over as it is, with the time that it may take."""
    runner = Lent()
    result = await called(run_code, lent("runner", runner), "print(1)", 3.0)
    assert result.text == "printed"
    assert runner.asked == [("print(1)", 3.0)]


async def test_databases_are_shown_or_asked() -> None:
    """Without a query the tables are told, with one its rows."""
    data = Lent()
    assert (await called(query_data, lent("data", data))).text == "shop.orders (id)"
    assert (await called(query_data, lent("data", data), "SELECT 1", 7)).text == "id\n1"
    assert data.asked == [("SELECT 1", 7)]


async def test_a_long_file_comes_in_parts() -> None:
    """Each part says where the next begins, and together they are the file."""
    files = Lent(text="\n".join(f"line {at}" for at in range(1, 901)))
    first = await called(read_file, lent("files", files), "a.txt", 2)
    assert first.text.endswith("line 400\n[500 more lines; go on with first_line=401]")
    last = await called(read_file, lent("files", files), "a.txt", 2, 801)
    assert last.text.startswith("line 801\n")
    assert last.text.endswith("line 900")
    assert files.asked[0] == ("a.txt", 2 * 1024 * 1024)


@pytest.mark.parametrize(("size", "first_line"), [(0, 1), (101, 1), (1, 3)])
async def test_no_more_of_a_file_than_there_is_or_may_be(size: int, first_line: int) -> None:
    """A size above the limit and a line behind the end are refused."""
    with pytest.raises(ToolRefused):
        await read_file(lent("files", Lent(text="a\nb")), "a.txt", size, first_line)


@pytest.mark.parametrize("run", [search_web, fetch_page, run_code, query_data, read_file])
async def test_without_its_service_a_tool_says_so(run: Run) -> None:
    """What is not lent is a refusal."""
    bare = Context(caller="console:ann", conversation="c")
    with pytest.raises(ToolRefused, match="there is none here"):
        await (run(bare, "x", 1) if run is not fetch_page else run(bare, "x"))
