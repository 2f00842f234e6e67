"""Holds requests and answers against GitHub's own description of its interface, in OpenAPI's form.

It comes from a package that `scripts/setup counterparts` installs, or from the file that
`THESEUS_GITHUB_DESCRIPTION` names; trimmed to what concerns a repository it is kept beside what else tests keep.
"""

import importlib.util
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from tests.fakes.github.http import Request
from tests.fakes.github.things import Json
from tests.fakes.node import MISSING, MODULES

ROOT = Path(__file__).parents[3]
PACKAGE = MODULES / "@octokit" / "openapi"
_WITHIN = ("/repos/{owner}/{repo}", "/app", "/user/{account_id}", "/users/{username}", "/rate_limit")
_DROPPED = (
    "description",
    "summary",
    "tags",
    "externalDocs",
    "examples",
    "example",
    "x-github",
    "x-octokit",
    "title",
)
"""What a description is read without; the official examples are kept for another reader (see `whole`)."""

IGNORED: Mapping[tuple[str, str], str] = {
    ("GET /app/installations", "*.account"): "the description asks for a user who is an enterprise at once",
    ("POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers", "labels.*.description"): (
        "GitHub answers null for a label without one, as its description says for the same label elsewhere"
    ),
    ("GET /repos/{owner}/{repo}/pulls/{pull_number}/comments", "*.position"): (
        "GitHub answers null for a remark on a line that a later commit changed"
    ),
    ("GET /repos/{owner}/{repo}/pulls/{pull_number}/comments", "*.line"): "the same",
}
"""What of an answer is passed over, with the reason: an operation and where in the answer, `*` for any part."""


class Missing(Exception):
    """There is no description to be had here. Its text says what to do about it."""


class Judge(Protocol):
    """Says what does not fit, each in one sentence."""

    def asked(self, request: Request) -> list[str]:
        """What does not fit about a request."""

    def told(self, request: Request, status: int, data: bytes) -> list[str]:
        """What does not fit about a good answer to it."""


class Unjudged:
    """Where there is no description, nothing is said."""

    def asked(self, _request: Request) -> list[str]:
        """Nothing."""
        return []

    def told(self, _request: Request, _status: int, _data: bytes) -> list[str]:
        """Nothing."""
        return []


class Description:
    """What may be asked of GitHub, and what it answers."""

    def __init__(self, document: Json) -> None:
        self._paths: Json = document["paths"]
        self._validators: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._good: set[tuple[str, int, bytes]] = set()
        """Answers that fitted: what is asked again and again is the same most of the time."""

    def asked(self, request: Request) -> list[str]:
        """What does not fit about a request."""
        operation = self._operation(request)
        if operation is None:
            return ["there is no such operation"]
        return [*self._query(request, operation), *self._body(request, operation)]

    def told(self, request: Request, status: int, data: bytes) -> list[str]:
        """What does not fit about a good answer to it."""
        operation = self._operation(request)
        if operation is None:
            return []
        promised = operation["responses"].get(str(status))
        if promised is None:
            return [f"{status} is not among {sorted(operation['responses'])}"]
        content = promised.get("content", {}).get("application/json")
        if content is None:
            return ["there is one where none is promised"] if data else []
        name = f"{request.method} {request.template}"
        known = (name, status, sha256(data).digest())
        if known in self._good:
            return []
        places = [place for one, place in IGNORED if one == name]
        wrong = list(self._wrong(json.loads(data), content["schema"], places))
        if not wrong:
            self._good.add(known)
        return wrong

    def _operation(self, request: Request) -> Json | None:
        found: Json | None = self._paths.get(request.template, {}).get(request.method.lower())
        return found

    def _query(self, request: Request, operation: Json) -> Iterator[str]:
        known = {
            one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        paged = {"per_page", "page"} & known.keys()
        for name, value in request.query.items():
            if name not in known:
                yield f"the query has {name!r}, of which nothing is known"
            elif all(list(self._wrong(one, known[name])) for one in _readings(value)):
                yield f"{name} in the query is {value!r}, which does not fit"
        if paged and int(request.query.get("per_page", "30")) > 100:
            yield "per_page is more than 100"

    def _body(self, request: Request, operation: Json) -> Iterator[str]:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            if request.body not in (None, {}):
                yield "there is a body where none belongs"
        elif request.body is not None or operation["requestBody"].get("required"):
            yield from self._wrong(request.body, content["schema"])
            known = content["schema"].get("properties")
            if known and isinstance(request.body, dict):
                yield from (
                    f"the body has {name!r}, of which nothing is known"
                    for name in request.body.keys() - known
                )

    def _wrong(self, value: Any, schema: Json, ignored: Sequence[str] = ()) -> Iterator[str]:
        validator = self._validators.get(id(schema))
        if validator is None:
            from jsonschema import Draft4Validator

            validator = self._validators[id(schema)] = Draft4Validator(_plain(schema))
            self._kept.append(schema)
        for error in validator.iter_errors(value):
            where = ".".join(map(str, error.absolute_path))
            if not any(fnmatchcase(where, place) for place in ignored):
                yield f"{where or 'the body'}: {_short(error)}"
                return


def _short(error: Any) -> str:
    """What is wrong, of an error that may have many parts."""
    inner = min(error.context or (), key=lambda one: -len(one.absolute_path), default=None)
    more = f" ({'.'.join(map(str, inner.absolute_path))}: {inner.message[:200]})" if inner is not None else ""
    return f"{error.message[:300]}{more}"


def _plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 in the terms of JSON Schema: what may be null says so otherwise there."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: {key: _plain(one) for key, one in part.items()} if name == "properties" else _plain(part)
        for name, part in schema.items()
        if name not in ("nullable", *_DROPPED[:1])
    }
    return {"anyOf": [{"type": "null"}, made]} if schema.get("nullable") is True else made


def _readings(text: str) -> Iterator[Any]:
    """What a value of a query may mean."""
    yield text
    if text.isdecimal():
        yield int(text)
    if text in ("true", "false"):
        yield text == "true"


def whole(paths: Collection[str]) -> Json:
    """The description of some paths, with its examples.

    Raises:
        Missing: There is none.
    """
    document = _document()
    kept = {path: one for path, one in document["paths"].items() if path in paths}
    return {name: document[name] for name in ("openapi", "info", "servers")} | {"paths": kept}


def _document() -> Json:
    source = PACKAGE / "generated" / "api.github.com.deref.json"
    if not source.is_file():
        raise Missing(MISSING)
    document: Json = json.loads(source.read_text())
    return document


def read() -> Description:
    """The description that is to be had here, trimmed once and kept.

    Raises:
        Missing: There is none.
    """
    if importlib.util.find_spec("jsonschema") is None:
        raise Missing("jsonschema is not installed; run scripts/setup counterparts")
    named = os.environ.get("THESEUS_GITHUB_DESCRIPTION")
    if named:
        return Description(_trimmed(json.loads(Path(named).read_text())))
    about = PACKAGE / "package.json"
    if not about.is_file():
        raise Missing(MISSING)
    version = json.loads(about.read_text())["version"]
    home = Path(os.environ.get("THESEUS_TEST_HOME") or ROOT / ".venv" / "test-home")
    kept = home / f"github-{version}.json"
    if not kept.exists():
        home.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_text(json.dumps(_trimmed(_document())))
        half.replace(kept)
    return Description(json.loads(kept.read_text()))


def _trimmed(document: Json) -> Json:
    return {
        "paths": {
            path: _without(one)
            for path, one in document["paths"].items()
            if path.startswith((*_WITHIN, "/user"))
        }
    }


def _without(one: Any) -> Any:
    """A part of the description without what is written for people."""
    if isinstance(one, list):
        return [_without(each) for each in one]
    if not isinstance(one, dict):
        return one
    return {
        name: {key: _without(each) for key, each in part.items()} if name == "properties" else _without(part)
        for name, part in one.items()
        if name not in _DROPPED
    }
