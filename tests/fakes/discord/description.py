"""Holds what the client asks against Discord's own description of its REST interface.

The description comes in OpenAPI's form: from the file that `THESEUS_DISCORD_DESCRIPTION` names, or put together by
`describe.mjs` from a package that `scripts/setup counterparts` installs.
"""

import copy
import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.discord.rest import Call
from tests.fakes.discord.things import Json
from tests.fakes.node import MISSING, MODULES, node

ROOT = Path(__file__).parents[3]
SECONDS = 120
"""How long putting the description together may take; it takes two."""
_COMMANDS = (
    "PUT /applications/{application_id}/commands",
    "PUT /applications/{application_id}/guilds/{guild_id}/commands",
)
_EDITS = (
    "PATCH /channels/{channel_id}/messages/{message_id}",
    "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original",
    "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
)
_CALLBACK = "POST /interactions/{interaction_id}/{interaction_token}/callback"
_NO_SPEECH = "the client says with every change that it is not read aloud; Discord passes over that"
_NO_FLAGS = "the client says of every embed that it has no flags; Discord passes over that"
_EMBEDS = (*_EDITS, "POST /channels/{channel_id}/messages", "POST /webhooks/{webhook_id}/{webhook_token}")
LACKING: Mapping[tuple[str, str], str] = {
    **dict.fromkeys(
        ((one, "*.nsfw") for one in _COMMANDS),
        "Discord documents it for commands, the description has not got it",
    ),
    **dict.fromkeys(((one, "tts") for one in _EDITS), _NO_SPEECH),
    (_CALLBACK, "data.tts"): _NO_SPEECH,
    **dict.fromkeys(((one, "embeds.*.flags") for one in _EMBEDS), _NO_FLAGS),
    (_CALLBACK, "data.embeds.*.flags"): _NO_FLAGS,
}
"""What is passed over, with the reason: an operation and where in its body, `*` for each entry of a list."""
LACKING_IN_QUERIES: Mapping[tuple[str, str], str] = {
    ("PUT /guilds/{guild_id}/bans/{user_id}", "delete_message_seconds"): (
        "the client says it in the query, where Discord took it before it took a body"
    ),
}
"""Likewise: an operation and a name in its query."""
_YES_OR_NO = ("1", "true", "True", "0", "false", "False")


class Missing(Exception):
    """There is no description to be had here. Its text says what to do about it."""


class Description:
    """What may be asked of Discord."""

    def __init__(self, document: Json) -> None:
        self._paths: Json = document["paths"]
        schemas = {name: _strict(one) for name, one in document["components"]["schemas"].items()}
        schemas["SnowflakeType"] = _SNOWFLAKE
        self._asked = {"schemas": schemas}
        self._told = {
            "schemas": {name: _plain(one) for name, one in document["components"]["schemas"].items()}
        }

    def faults(self, call: Call) -> list[str]:
        """What does not fit about a request and its good answer, each in one sentence."""
        operation = self._paths.get(call.template, {}).get(call.method.lower())
        if operation is None:
            return ["there is no such operation"]
        asked = [*self._path(call), *self._query(call, operation), *self._body(call, operation)]
        return [*asked, *(f"the stand-in's own answer: {one}" for one in self._answer(call, operation))]

    def _answer(self, call: Call, operation: Json) -> Iterator[str]:
        if not 200 <= call.status < 300:
            return
        promised = operation["responses"].get(str(call.status))
        content = (promised or {}).get("content", {}).get("application/json")
        if promised is None:
            yield f"{call.status} is not among {sorted(operation['responses'])}"
        elif content is None:
            if call.answer is not None:
                yield "there is one where none is promised"
        else:
            # Through text and back, as the client gets it.
            yield from self._wrong(json.loads(json.dumps(call.answer)), content["schema"], self._told)

    def _path(self, call: Call) -> Iterator[str]:
        for name, value in call.parts.items():
            if name.endswith("_id") and not value.isdecimal():
                yield f"{name} is {value!r}, which is no id"

    def _query(self, call: Call, operation: Json) -> Iterator[str]:
        there = (*operation.get("parameters", ()), *self._paths[call.template].get("parameters", ()))
        known = {one["name"]: one for one in there if one["in"] == "query"}
        for name, value in call.query.items():
            if (f"{call.method} {call.template}", name) in LACKING_IN_QUERIES:
                continue
            if name not in known:
                yield f"the query has {name!r}, of which nothing is known"
            elif all(self._wrong(one, known[name]["schema"], self._asked) for one in _readings(value)):
                yield f"{name} in the query is {value!r}, which does not fit"
        for name, one in known.items():
            if one.get("required") and name not in call.query:
                yield f"the query lacks {name!r}"

    def _body(self, call: Call, operation: Json) -> Iterator[str]:
        content = operation.get("requestBody", {}).get("content", {})
        wanted = content.get("application/json") or content.get("multipart/form-data")
        if wanted is None:
            if call.body not in (None, {}):
                yield "there is a body where none belongs"
        elif call.body is None:
            if operation["requestBody"].get("required"):
                yield "there is no body"
        else:
            body = copy.deepcopy(call.body)
            for operation_name, place in LACKING:
                if operation_name == f"{call.method} {call.template}":
                    _pass_over(body, place.split("."))
            yield from self._wrong(body, _strict(wanted["schema"]), self._asked)

    @staticmethod
    def _wrong(value: Any, schema: Json, components: Json) -> list[str]:
        """What best says why a value does not fit; nothing if it does."""
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match

        whole = Draft202012Validator({**schema, "components": components})
        first = best_match(whole.iter_errors(value))
        where = ".".join(map(str, first.absolute_path)) if first else ""
        return [f"{where or 'the body'}: {first.message[:300]}"] if first else []


def read() -> Description:
    """The description that is to be had here.

    Raises:
        Missing: There is none.
    """
    if importlib.util.find_spec("jsonschema") is None:
        raise Missing("jsonschema is not installed; run scripts/setup counterparts")
    named = os.environ.get("THESEUS_DISCORD_DESCRIPTION")
    if named:
        return Description(json.loads(Path(named).read_text()))
    lock = ROOT / "tests" / "e2e" / "npm" / "package-lock.json"
    version = json.loads(lock.read_text())["packages"]["node_modules/discord-api-spec"]["version"]
    home = Path(os.environ.get("THESEUS_TEST_HOME") or ROOT / ".venv" / "test-home")
    kept = home / f"discord-{version}.json"
    if not kept.exists():
        text = _put_together()
        home.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_text(text)
        half.replace(kept)
    return Description(json.loads(kept.read_text()))


def _put_together() -> str:
    program = node()
    if program is None or not (MODULES / "discord-api-spec").is_dir():
        raise Missing(MISSING)
    script = Path(__file__).with_name("describe.mjs").read_text()
    made = subprocess.run(
        [program, "--input-type=module", "-"],
        cwd=MODULES.parent,
        input=script,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if made.returncode:
        raise Missing(f"Discord's description could not be put together: {made.stderr[-300:]}")
    return made.stdout


def _strict(schema: Any) -> Any:
    """The same schema, but what an object is not known to have it may not have."""
    made = schema
    if isinstance(schema, list):
        made = [_strict(one) for one in schema]
    elif isinstance(schema, dict):
        made = {name: _strict(one) for name, one in _plain(schema).items()}
        if isinstance(made.get("properties"), dict):
            made.setdefault("additionalProperties", False)
    return made


def _plain(schema: Json) -> Json:
    """The same schema without names of its own, which references would be taken to be relative to."""
    return {name: one for name, one in schema.items() if name not in ("$id", "$schema")}


_SNOWFLAKE = {
    "anyOf": [{"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}, {"type": "integer", "minimum": 0}]
}
"""An id. The description wants text; Discord takes numbers too, and the client sends them in replies."""


def _readings(text: str) -> Iterator[Any]:
    """What a value of a query may mean."""
    yield text
    if text.isdecimal():
        yield int(text)
    if text in _YES_OR_NO:
        yield text in _YES_OR_NO[:3]


def _pass_over(value: Any, place: Sequence[str]) -> None:
    """Take away what stands at a place."""
    first, *rest = place
    for inner in value if isinstance(value, list) and first == "*" else ():
        _pass_over(inner, rest)
    if isinstance(value, dict) and not rest:
        value.pop(first, None)
    elif isinstance(value, dict):
        _pass_over(value.get(first), rest)
