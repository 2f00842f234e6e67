"""Judges descriptions of tools before they are kept: short, plain, without a secret, and leading where they say.

They are judged again whenever they are read, since the rules may have changed.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from agent.declared.document import Document, Parameter, Plain, filled, holes
from agent.guardrails.redaction import looks_secret
from policies.decision import Decision
from policies.load import WebRules
from policies.urls import Target, read_url, rules_for

LONGEST = 8_000
"""Characters of a whole document."""
_PATH = re.compile(r"(?:[^.\[\]*]+|\[\d{1,6}\]|\[\*\])(?:\.[^.\[\]*]+|\[\d{1,6}\]|\[\*\])*")
_HEADER = re.compile(r"Accept(?:-Language)?|X-[A-Za-z0-9-]{1,40}", re.IGNORECASE)
_ANOTHER_METHOD = re.compile(
    r"_+(?:http_?)?method|(?:x_)?(?:http_)?method_?override|x_http_method", re.IGNORECASE
)
"""Names under which servers look for a method other than the one that is used."""
_ANOTHER_CALL = frozenset(
    {
        "accel", "arr", "envoy", "forwarded", "host", "http", "httpmethod", "ip", "method", "methodoverride", "original",
        "override", "proxy", "proxyuser", "real", "remote", "rewrite", "sendfile", "uri", "url",
    }
)  # fmt: skip
"""Words of headers by which a proxy tells a server what was asked for, and by whom; servers may believe anybody."""
_ADDRESS = re.compile(r"https?:|:/|%3a", re.IGNORECASE)
DEEPEST = 20
"""Levels of a body."""
_SECRET_WORDS = frozenset(
    {
        "apikey", "appid", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "jwt", "key",
        "passwd", "password", "secret", "session", "signature", "sig", "token",
    }
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_NO_SECRETS = (
    "tools that people make hold no keys, since everybody who may use one could read them: leave it out, or ask for a "
    "tool with /improve"
)


def read_document(text: str, rules: WebRules, name: str = "") -> Document | Decision:
    """Judge a document, as JSON or TOML.

    Args:
        text: As somebody wrote it.
        rules: Which hosts may be asked.
        name: What the tool is to be called where the document does not say it.

    Returns:
        The document, or the first thing that is wrong with it and what would be right.
    """
    if len(text) > LONGEST:
        return _no(f"the description is longer than {LONGEST:,} characters; say it in fewer")
    try:
        raw = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        document = Document.model_validate({"name": name, **raw} if name else raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in fault["loc"])[:80]
        hints = {
            "extra_forbidden": f"; there are: {', '.join(Document.model_fields)}",
            "string_pattern_mismatch": "; a name has small letters, digits and _, and begins with a letter",
        }
        return _no(f"{where or 'the description'}: {fault['msg']}{hints.get(fault['type'], '')}")
    except (ValueError, RecursionError) as error:
        return _no(f"the description is neither JSON nor TOML: {str(error)[:200]}; /tool template shows one")
    if name and document.name != name:
        return _no(f"it is called {document.name} in the description and {name} before it; say one name")
    wrong = (
        _shape(document)
        or _names(document)
        or _address(document, rules)
        or _secrets(document)
        or _other_addresses(document)
        or _parameters(document)
    )
    return wrong or document


def target_of(document: Document, rules: WebRules) -> Target | Decision:
    """Where a document leads, or why nothing is asked there."""
    return read_url(_without_holes(document.url, "x"), rules_for(document.method, rules))


def _shape(document: Document) -> Decision | None:
    if _too_deep(document.body):  # before anything else goes down into it
        return _no(f"body: it is nested more than {DEEPEST} levels deep; make it flatter")
    if not all(text.isprintable() for text in document.said):
        return _no(
            "descriptions and values are one line of plain text each; take line breaks and invisible characters out"
        )
    if document.body is not None and not document.writes:
        return _no('only a POST has a body; say "method": "POST", or put it into query')
    if document.writes and document.cache_seconds:
        return _no("a POST may change something, so its answers are not kept; leave cache_seconds out")
    if document.writes and document.permission == "everyone":
        return _no('a POST may change something; say "permission": "trusted" or "maintainer"')
    if document.answer and not _PATH.fullmatch(document.answer):
        return _no(f"answer: {document.answer!r} is no path; write it like list[0].name or items[*].title")
    return None


def _names(document: Document) -> Decision | None:
    """Names of headers and fields are fixed, and none of them has a server take the call for another one."""
    for name, value in document.headers.items():
        if not _HEADER.fullmatch(name) or _ANOTHER_CALL.intersection(name.lower().split("-")):
            return _no(
                f"headers: {name[:40]!r} cannot be set; Accept, Accept-Language and X-... can, but for those that stand for "
                "another method or address"
            )
        if not value.isprintable() or not value.isascii():
            return _no(f"headers: the value of {name} is not plain ASCII text")
    for name in (*document.query, *_keys(document.body)):
        if holes(name):
            return _no(f"{name[:40]!r}: names are fixed; a {{parameter}} may stand in a value only")
        if _ANOTHER_METHOD.fullmatch(name.replace("-", "_")):
            return _no(f'{name[:40]!r} stands for another method; say it with "method", which is GET or POST')
    return None


def _address(document: Document, rules: WebRules) -> Decision | None:
    url = document.url
    scheme, _, rest = url.partition("://")
    if "?" in url or "#" in url:
        return _no('url: put what follows the ? into "query", and leave a # out')
    if holes(rest.partition("/")[0]) or holes(scheme):
        return _no("url: its host is fixed; a {parameter} may stand behind the first / only")
    if set(_without_holes(url, "")) & set("{}"):
        return _no("url: a brace stands for nothing; write {parameter}")
    target = target_of(document, rules)
    if isinstance(target, Decision):
        return _no(f"url: {target.why}")
    place = f"[{target.host}]" if ":" in target.host else target.host
    if target.scheme != "https" and f"{place}:{target.port}" not in rules.exempt:
        return _no("url: say https://, so that nobody on the way reads or changes the answer")
    return None


def _other_addresses(document: Document) -> Decision | None:
    """The host that is asked is the one that is seen: no other stands behind it, to be asked in its turn."""
    url, *texts = document.texts
    if any(_ADDRESS.search(text) for text in (url.partition("://")[2], *texts, *_values(document))):
        return _no("the beginning of an address stands in it; only url has one, at its own beginning")
    return None


def _secrets(document: Document) -> Decision | None:
    for table in (document.query, document.headers, _keys(document.body)):
        for name in table:
            if {word.lower() for word in _WORDS.findall(name)} & _SECRET_WORDS:
                return _no(f"{name[:40]!r} looks like the place of a key; {_NO_SECRETS}")
    for text in (*document.texts, *document.said):
        if looks_secret(text) or _looks_drawn(_without_holes(text, " ")):
            return _no(f"there is something in it that looks like a key; {_NO_SECRETS}")
    return None


def _looks_drawn(text: str) -> bool:
    """Whether there is a long run of letters and digits mixed, as in keys."""
    return any(not (run.isdigit() or run.isalpha()) for run in _RUN.findall(text))


def _parameters(document: Document) -> Decision | None:
    used = {hole for text in document.texts for hole in holes(text)}
    if unknown := sorted(used - set(document.parameters)):
        return _no(f"{{{unknown[0]}}} is used but not among the parameters; describe it there")
    if idle := sorted(set(document.parameters) - used):
        return _no(f"the parameter {idle[0]} is used nowhere; write {{{idle[0]}}} where it belongs")
    for name, parameter in document.parameters.items():
        for value in (*parameter.choices, *(() if parameter.default is None else (parameter.default,))):
            if not _fits(value, parameter):
                return _no(f"parameters: {value!r} is no {parameter.type} that {name} may be")
        if parameter.least is not None and parameter.most is not None and parameter.least > parameter.most:
            return _no(f"parameters: nothing lies between the least and the most of {name}")
    return None


def _fits(value: Plain, parameter: Parameter) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    }  # fmt: skip
    if type(value) not in kinds[parameter.type]:
        return False
    if parameter.choices and value not in parameter.choices:
        return False
    if isinstance(value, str):
        return len(value) <= parameter.longest
    low, high = parameter.least, parameter.most
    return (low is None or value >= low) and (high is None or value <= high)


def _values(document: Document) -> Iterator[str]:
    for parameter in document.parameters.values():
        yield from (each for each in (parameter.default, *parameter.choices) if isinstance(each, str))


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            each
            for one in level
            if isinstance(one, dict | list)
            for each in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


def _without_holes(text: str, instead: str) -> str:
    return filled(text, dict.fromkeys(holes(text), instead))


def _no(why: str) -> Decision:
    return Decision.no("made_tool", why)
