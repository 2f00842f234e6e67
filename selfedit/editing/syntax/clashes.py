"""What stands against a renaming: references that cannot be told, and a new name that means something already."""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass

import libcst as cst
from libcst import metadata

from selfedit.editing.syntax.references import Found, Symbol
from selfedit.editing.syntax.text import No
from selfedit.editing.syntax.view import View

_SHOWN = 3


@dataclass(frozen=True)
class Looked:
    """A symbol with everything that the live files say about it."""

    symbol: Symbol
    views: Mapping[str, View]
    found: Mapping[str, Found]


def unclear(looked: Looked) -> No | None:
    """Whether there are places that may mean the symbol or may not."""
    symbol = looked.symbol
    places = [(path, line, text) for path, one in looked.found.items() for line, text in one.unclear]
    if not places:
        return None
    shown = ", ".join(f"{path}:{line} `{text}`" for path, line, text in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return No(
        "unclear_reference",
        f"it cannot be told whether these mean `{symbol.old}`: {shown}{more}; annotate them, or rename by replace edits",
        tuple(f"{path}:{line}" for path, line, _ in places[:10]),
    )


def clash(looked: Looked) -> No | None:
    """Whether the new name means something else already where the old one is used."""
    symbol = looked.symbol
    for path, one in looked.found.items():
        view = looked.views[path]
        for node, scope in one.bare:
            taken = [
                other for other in scope[symbol.new] if not isinstance(other, metadata.BuiltinAssignment)
            ]
            if symbol.owner is not None and isinstance(scope, metadata.ClassScope):
                taken = [other for other in taken if other.scope is scope]
            if taken:
                return No(
                    "name_taken",
                    f"`{symbol.new}` means something else at {path}:{view.line(node)}; take another name",
                )
        binding = {_binding_scope(scope, symbol.old) for _, scope in one.bare} - {None}
        for node in view.nodes if binding else ():
            if not isinstance(node, cst.Name) or node.value != symbol.new or view.is_label(node):
                continue
            scope = view.scope(node)
            if _binding_scope(scope, symbol.new) not in _between(scope, binding) and _reaches(
                scope, binding, symbol
            ):
                return No(
                    "name_taken",
                    f"`{symbol.new}` is used at {path}:{view.line(node)} for something else; take another name",
                )
    if hasattr(builtins, symbol.new) and symbol.owner is None:
        return No("name_taken", f"`{symbol.new}` is one of Python's own names; take another one")
    return None


def _binding_scope(scope: metadata.Scope, name: str) -> metadata.Scope | None:
    return next((one.scope for one in scope[name] if not isinstance(one, metadata.BuiltinAssignment)), None)


def _chain(scope: metadata.Scope) -> list[metadata.Scope]:
    chain = [scope]
    while chain[-1].parent is not chain[-1]:
        chain.append(chain[-1].parent)
    return chain


def _between(scope: metadata.Scope, binding: set[metadata.Scope | None]) -> list[metadata.Scope | None]:
    """The scopes from one outwards that come before the ones that bind the symbol."""
    inner: list[metadata.Scope | None] = []
    for one in _chain(scope):
        if one in binding:
            break
        inner.append(one)
    return inner


def _reaches(scope: metadata.Scope, binding: set[metadata.Scope | None], symbol: Symbol) -> bool:
    """Whether a name looked up in a scope would find the symbol once it has the new name."""
    if symbol.owner is not None:
        return scope in binding and isinstance(scope, metadata.ClassScope)
    return any(one in binding for one in _chain(scope))
