"""A document as a tool: its schema, and the one call of the net that it stands for."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field
from pydantic_core import PydanticUndefined

from agent.calling.schema import Signature, signature_from
from agent.calling.toolbox import Tool
from agent.declared.document import Document, Parameter, filled, holes, steps
from agent.declared.shelf import Entry
from agent.ports import Api, Got, Sent
from agent.services.cleaning import plain
from agent.services.threads import Threads
from agent.tool import Context, Manifest, Result, ToolRefused

MOST_EACH = 200
"""Of a list that is handed on item by item."""
MOST_CHARS = 80_000
"""Of an answer that are looked through, where nobody says otherwise."""
AT_ONCE = 2
"""Answers that are taken apart side by side, each in a thread."""


Offered = Callable[[Entry, str, str], str]
"""Why somebody may not have a tool in a place; empty where they may."""


def tool_of(
    entry: Entry,
    api: Callable[[], Awaitable[Api]],
    offered: Offered,
    threads: Threads | None = None,
    most_chars: int = MOST_CHARS,
) -> Tool:
    """The tool that a document describes.

    Args:
        entry: The document, and who made it.
        api: Opens the way to the net.
        offered: Asked once more when it runs: it may have been removed since it was listed.
        threads: Where answers are taken apart, shared by all such tools; its own if left out.
        most_chars: What an answer has beyond that is cut off.
    """
    document = entry.document
    threads = threads or Threads(AT_ONCE)
    signature = _signature(document)

    async def run(context: Context, **arguments: Any) -> Result:
        if why := offered(entry, context.caller, context.conversation):
            raise ToolRefused(why)
        got = await (await api()).send(_sent(document, arguments))
        sources = () if document.writes else (got.url,)
        try:
            # In a thread: a megabyte of JSON takes a noticeable while.
            text = await threads.run(_picked, document, got, most_chars)
            return Result(text, sources, untrusted=True)
        except ToolRefused as problem:
            if not document.writes:
                raise
            return Result(f"It was done, but {problem}.", untrusted=True)

    manifest = Manifest(
        uses=("web",),
        writes=document.writes,
        permission=document.permission,
        seconds=document.seconds,
        cache_seconds=document.cache_seconds,
        calls_a_day=document.calls_a_day,
        version=entry.version,
        examples=document.examples,
    )
    # What a model sends may come back in the answer, so that is nobody who gives an address.
    return Tool(document.name, f"(no code: made by {entry.maker})", manifest, signature, run, gives=False)


def _signature(document: Document) -> Signature:
    fields = {}
    for name, parameter in document.parameters.items():
        default = PydanticUndefined if parameter.default is None else parameter.default
        kind = _kind(parameter)
        if parameter.description:
            kind = Annotated[kind, Field(description=parameter.description)]
        fields[name] = (kind, default)
    return signature_from(document.name, document.description, fields)


def _kind(parameter: Parameter) -> Any:
    if parameter.choices:
        return Literal[parameter.choices]
    if parameter.type == "text":
        return Annotated[str, Field(max_length=parameter.longest)]
    if parameter.type == "boolean":
        return bool
    plain_kind = int if parameter.type == "integer" else float
    return Annotated[plain_kind, Field(ge=parameter.least, le=parameter.most)]


def _sent(document: Document, arguments: dict[str, Any]) -> Sent:
    values = {name: _as_text(value) for name, value in arguments.items()}
    query = {name: filled(value, values) for name, value in document.query.items()}
    headers = {name: filled(value, values) for name, value in document.headers.items()}
    if bad := next(
        (name for name, value in headers.items() if not (value.isprintable() and value.isascii())), ""
    ):
        raise ToolRefused(f"the header {bad} takes plain ASCII text only")
    try:
        url = _url(document, values) + (f"?{urlencode(query)}" if query else "")
        body = (
            None if document.body is None else json.dumps(_put_in(document.body, arguments, values)).encode()
        )
    except UnicodeError:
        raise ToolRefused("there is half a character in the arguments; send whole ones") from None
    return Sent(document.method, url, headers, body)


def _url(document: Document, values: dict[str, str]) -> str:
    """The address, with each value escaped so that it stays within its part of the path."""
    escaped = {name: quote(value, safe="") for name, value in values.items()}
    parts = []
    for part in document.url.split("/"):
        done = filled(part, escaped)
        if holes(part) and done in ("", ".", ".."):
            raise ToolRefused(f"{', '.join(holes(part))} stands in the address, so it has to be a name")
        parts.append(done)
    return "/".join(parts)


def _put_in(body: Any, arguments: dict[str, Any], values: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _put_in(each, arguments, values) for key, each in body.items()}
    if isinstance(body, list):
        return [_put_in(each, arguments, values) for each in body]
    if isinstance(body, str):
        named = holes(body)
        return arguments[named[0]] if named and body == f"{{{named[0]}}}" else filled(body, values)
    return body


def _as_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _picked(document: Document, got: Got, most_chars: int) -> str:
    """What is handed on of an answer, as text."""
    if not got.kind.endswith("json"):
        if document.answer:
            raise ToolRefused(f"it answered with {got.kind}, so there is no {document.answer} in it")
        return _shortened(got.text, most_chars)
    try:
        found = json.loads(got.text)
    except (ValueError, RecursionError):
        raise ToolRefused("it answered with JSON that cannot be read, or with too much of it") from None
    found = _at(found, steps(document.answer), document.answer)
    # Without indents, which would make what is nested deeply many times longer.
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return _shortened(text, most_chars)


def _shortened(text: str, most_chars: int) -> str:
    """What people would see of a text, cut before it is looked through sign by sign."""
    return plain(text) if len(text) <= most_chars else f"{plain(text[:most_chars])}\n(it goes on beyond this)"


def _at(value: Any, path: list[str | int | None], whole: str) -> Any:
    for number, step in enumerate(path):
        if step is None and isinstance(value, list):
            return [_at(each, path[number + 1 :], whole) for each in value[:MOST_EACH]]
        try:
            value = value[step] if type(step) is (str if isinstance(value, dict) else int) else None
        except (KeyError, IndexError, TypeError):
            value = None
        if value is None:
            raise ToolRefused(f"its answer has no {whole}, or nothing there")
    return value
