"""The tools of one generation: found among its modules, each looked at before it may ever run. Holds no state."""

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, get_args

from agent.calling.schema import BadSignature, Signature, signature_of
from agent.tool import Manifest, Run, Service
from agent.types import ToolSpec
from policies.access import Role, Wanted, may_use
from policies.load import Rules

FOLDER = "agent/live/tools/"
LONGEST_CALL = 300.0
"""Seconds; no manifest may ask for more, since no request lasts longer."""
LONGEST_KEPT = 86_400.0
"""Seconds for which an answer may be given again; news of yesterday is none."""
DEAREST_CALL = 1.0
"""US dollars; no manifest may say more, or one call could end everybody's budget of the day."""
SERVICES: frozenset[str] = frozenset(get_args(Service))
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class BadTool(Exception):
    """A tool cannot be offered. Its text is a sentence with the file and what to change."""


@dataclass(frozen=True, slots=True)
class Source:
    """One module below `agent/live/tools/`: where it stands, its text, and what came of running it."""

    path: str
    text: str
    module: ModuleType


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be offered. Its name is stable: it is the function's."""

    name: str
    path: str
    manifest: Manifest
    signature: Signature
    run: Run
    gives: bool = True
    """Of a tool of the net: addresses in its answers count as given. Not where an answer may repeat what was sent."""

    @property
    def spec(self) -> ToolSpec:
        """How a model is told of it."""
        said = self.signature.description
        if self.manifest.examples:
            said = f"{said} For example: {'; '.join(self.manifest.examples)}"
        return ToolSpec(name=self.name, description=said, parameters=self.signature.parameters)

    @property
    def wanted(self) -> Wanted:
        """What a policy needs to know of it."""
        manifest = self.manifest
        return Wanted(self.name, manifest.permission, manifest.writes, manifest.uses)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """All tools of a generation, by name and by every other name that still works."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    """Agents that may be asked: their instructions by name."""

    def find(self, name: str) -> Tool | None:
        """A tool by its name or an alias."""
        return self.tools.get(self.aliases.get(name, name))

    def allowed(self, caller: str, place: str, role: Role, rules: Rules) -> list[Tool]:
        """What somebody may use in a place, by name."""
        return [
            tool
            for _, tool in sorted(self.tools.items())
            if may_use(tool.wanted, caller, place, role, rules).allowed
        ]


def discover(sources: Iterable[Source], agents: Mapping[str, str] | None = None) -> Toolbox:
    """Find the tools of a generation.

    A file without a tool is a helper only when its name begins with `_`.

    Raises:
        BadTool: One of them cannot be offered, so the whole set is not.
    """
    tools: dict[str, Tool] = {}
    aliases: dict[str, str] = {}
    for source in sorted(sources, key=lambda each: each.path):
        if source.path.rpartition("/")[2].startswith("_"):
            continue
        tool = _tool_of(source)
        names = (tool.name, *tool.manifest.aliases)
        for name in names:
            if name in tools or name in aliases or names.count(name) > 1:
                raise BadTool(f"{source.path}: another tool is called {name}; choose another name")
        tools[tool.name] = tool
        aliases.update(dict.fromkeys(tool.manifest.aliases, tool.name))
    return Toolbox(tools, aliases, agents or {})


def _tool_of(source: Source) -> Tool:
    marked = [
        (function, manifest)
        for function in vars(source.module).values()
        if type(manifest := getattr(function, "__tool__", None)) is Manifest
        and getattr(function, "__module__", None) == source.module.__name__
    ]
    if len(marked) != 1:
        found = "no function" if not marked else f"{len(marked)} functions"
        raise BadTool(f"{source.path}: it has {found} marked with @tool(); a tool's file has exactly one")
    function, manifest = marked[0]
    name: object = getattr(function, "__name__", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadTool(f"{source.path}: {name!r} is no name for a tool; use small letters, digits and _")
    try:
        signature = signature_of(function)
        _look_at(name, manifest)
        _can_be_undone(name, manifest, signature)
        first = next(iter(inspect.signature(function).parameters))
        _touches_only_what_it_names(source, manifest, first)
    except BadSignature as problem:
        raise BadTool(f"{source.path}: {problem}") from None
    return Tool(name, source.path, manifest, signature, function)


def _look_at(name: str, manifest: Manifest) -> None:
    """Types are promised by mypy to those who ask it; here they are made sure of."""
    unknown = [str(each) for each in manifest.uses if each not in SERVICES]
    if unknown:
        raise BadSignature(f"{name} uses {unknown[0]}; there are: {', '.join(sorted(SERVICES))}")
    if manifest.permission not in ("everyone", "trusted", "maintainer"):
        raise BadSignature(f"{name} has the permission {manifest.permission!r}, which nobody has")
    if not _is_number(manifest.seconds) or not 0 < manifest.seconds <= LONGEST_CALL:
        raise BadSignature(f"{name} may take {manifest.seconds} s; say between 0 and {LONGEST_CALL:.0f}")
    if not _is_number(manifest.cache_seconds) or not 0 <= manifest.cache_seconds <= LONGEST_KEPT:
        raise BadSignature(f"{name}: cache_seconds is a number between 0 and {LONGEST_KEPT:.0f}")
    if type(manifest.calls_a_day) is not int or manifest.calls_a_day < 0:
        raise BadSignature(f"{name}: calls_a_day is a whole number; 0 for what the rules allow")
    if not _is_number(manifest.cost) or not 0 <= manifest.cost <= DEAREST_CALL:
        raise BadSignature(f"{name}: cost is a number of US dollars between 0 and {DEAREST_CALL:g}")
    if manifest.writes and manifest.cache_seconds > 0:
        raise BadSignature(f"{name} writes, so its answers cannot be kept: leave cache_seconds out")
    if not _VERSION.fullmatch(str(manifest.version)):
        raise BadSignature(f"{name} has the version {manifest.version!r}; write it like 1.0.0")
    if bad := [alias for alias in manifest.aliases if not _NAME.fullmatch(alias)]:
        raise BadSignature(f"{name}: {bad[0]!r} is no name for a tool; use small letters, digits and _")


def _can_be_undone(name: str, manifest: Manifest, signature: Signature) -> None:
    """Say at load that what takes a call back does not take what the call took; it is needed when all else failed."""
    if manifest.undo is None:
        return
    try:
        inspect.signature(manifest.undo).bind(None, **dict.fromkeys(signature.names))
    except (TypeError, ValueError) as error:
        raise BadSignature(f"undo of {name} cannot be called as {name} is: {error}") from None
    if not inspect.iscoroutinefunction(manifest.undo):
        raise BadSignature(f"undo of {name} must be a function that begins with `async def`")


def _is_number(value: Any) -> bool:
    """Whether it is a plain number. What is not finite stands between no two bounds, so those keep it out."""
    return type(value) in (int, float)


def _touches_only_what_it_names(source: Source, manifest: Manifest, first: str) -> None:
    """Say at load what would only come to light when it runs: a service that the manifest does not name.

    Syntax alone, so it finds mistakes. What holds is that only what is named is ever lent.
    """
    for node in ast.walk(ast.parse(source.text)):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == first
            and node.attr in SERVICES
            and node.attr not in manifest.uses
        ):
            raise BadSignature(
                f"line {node.lineno} uses {first}.{node.attr}, which its manifest does not name; "
                f'write @tool(uses=["{node.attr}"])'
            )
