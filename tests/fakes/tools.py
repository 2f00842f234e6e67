"""Tools written out in a test, as a generation holds them."""

import json
from functools import update_wrapper
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any

from agent.calling.answered import Place
from agent.calling.toolbox import Source, Toolbox, discover
from agent.tool import Context, Manifest
from agent.types import ToolCall

HERE = Place("discord:7", "here")
"""Somebody whom nobody trusts."""
CONSOLE = Place("console:ann", "here")


def source(text: str, path: str = "agent/live/tools/probe.py") -> Source:
    """A tool's file, run."""
    text = dedent(text).lstrip("\n")
    module = ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(compile(text, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - as the loader does
    return Source(path, text, module)


def box(*functions: Any, **manifests: Manifest) -> Toolbox:
    """A toolbox of functions of this process; a manifest by its function's name stands for the decorator."""
    sources = []
    for function in functions:
        name = function.__name__
        path = f"agent/live/tools/{name}.py"
        module = ModuleType(function.__module__)
        # A copy, so that one test's manifest is not another's.
        copy = FunctionType(
            function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
        )
        update_wrapper(copy, function)
        vars(copy).pop("__wrapped__")
        copy.__kwdefaults__ = function.__kwdefaults__
        vars(copy)["__tool__"] = manifests.get(name, Manifest())  # as `tool` does
        setattr(module, name, copy)
        sources.append(Source(path, "", module))
    return discover(sources)


def call(name: str, identity: str = "call_1", **arguments: Any) -> ToolCall:
    """A model's call."""
    return ToolCall(id=identity, name=name, arguments=json.dumps(arguments))


async def echo(context: Context, text: str = "x") -> str:
    """Say who asked, and what."""
    return f"{context.caller} says {text}"
