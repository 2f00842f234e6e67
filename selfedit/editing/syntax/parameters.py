"""Where a new parameter goes in a function's signature, and in which layout."""

from collections.abc import Sequence
from typing import Any

import libcst as cst

from selfedit.editing.syntax.text import No

Item = cst.Param | cst.ParamStar | cst.ParamSlash
Space = cst.SimpleWhitespace | cst.ParenthesizedWhitespace | cst.BaseParenthesizableWhitespace


def with_parameter(
    found: cst.FunctionDef, parameter: cst.Param, *, keyword_only: bool
) -> cst.FunctionDef | No:
    """The function with one parameter more, at the last place where no call changes its meaning.

    That is after the positional ones; behind `*args`, which would otherwise give it a value, or where
    `keyword_only` says so, it is a keyword-only one.
    """
    old = found.params
    name = parameter.name.value
    present = _flat(old)
    if name in [item.name.value for item in present if isinstance(item, cst.Param)]:
        return No("already_there", f"`{found.name.value}` has a parameter `{name}` already")
    before: list[Item] = [*old.posonly_params, *_given(old.posonly_ind), *old.params]
    keyword_only = keyword_only or isinstance(old.star_arg, cst.Param)
    new: list[Item] = [
        parameter.with_changes(
            whitespace_after_param=cst.SimpleWhitespace(""), comma=cst.MaybeSentinel.DEFAULT
        )
    ]
    if keyword_only:
        if not _given(old.star_arg):
            new.insert(0, cst.ParamStar())
        before += [*_given(old.star_arg), *old.kwonly_params]
    after = present[len(before) :]
    items = [*_laid_out(before, new, after, found), *after]
    return found.with_changes(params=_grouped(items, old, keyword_only=keyword_only))


def _given(item: Any) -> list[Any]:
    return [item] if isinstance(item, (cst.Param, cst.ParamStar, cst.ParamSlash)) else []


def _flat(old: cst.Parameters) -> list[Item]:
    return [
        *old.posonly_params,
        *_given(old.posonly_ind),
        *old.params,
        *_given(old.star_arg),
        *old.kwonly_params,
        *_given(old.star_kwarg),
    ]


def _laid_out(
    before: Sequence[Item], new: Sequence[Item], after: Sequence[Item], found: cst.FunctionDef
) -> list[Item]:
    """The items before the new ones and the new ones, separated as the signature's author separated others."""
    separator = _separator(before, found, ends=not after)
    comma = cst.Comma(whitespace_after=separator)
    *stars, last_new = new
    added = [star.with_changes(comma=comma) for star in stars]
    if after:
        return [*before, *added, last_new.with_changes(comma=comma)]
    if not before:
        return [*added, last_new]
    *kept, last = before
    if isinstance(last.comma, cst.Comma):
        closing = last.comma.whitespace_after
        last_new = last_new.with_changes(comma=last.comma.with_changes(whitespace_after=_plain(closing)))
        last = last.with_changes(comma=last.comma.with_changes(whitespace_after=_reached(closing, separator)))
    else:
        field = "whitespace_after_param" if isinstance(last, cst.Param) else "whitespace_after"
        closing = getattr(last, field)
        last_new = last_new.with_changes(whitespace_after_param=_plain(closing))
        last = last.with_changes(
            comma=cst.Comma(whitespace_after=_reached(closing, separator)),
            **{field: cst.SimpleWhitespace("")},
        )
    return [*kept, last, *added, last_new]


def _separator(before: Sequence[Item], found: cst.FunctionDef, *, ends: bool) -> Space:
    separated = before[:-1] if ends else before
    for item in reversed(separated):
        if isinstance(item.comma, cst.Comma):
            return _plain(item.comma.whitespace_after)
    opening = found.whitespace_before_params
    return _plain(opening) if isinstance(opening, cst.ParenthesizedWhitespace) else cst.SimpleWhitespace(" ")


def _plain(space: Any) -> Space:
    """The same white space without comments."""
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return cst.SimpleWhitespace(str(getattr(space, "value", " ")))
    first = space.first_line.with_changes(comment=None, whitespace=cst.SimpleWhitespace(""))
    return space.with_changes(first_line=first, empty_lines=())


def _reached(closing: Any, separator: Space) -> Any:
    """What stood before the closing bracket, with its comments, now leading to the next parameter."""
    if not isinstance(closing, cst.ParenthesizedWhitespace):
        return separator
    if isinstance(separator, cst.ParenthesizedWhitespace):
        return closing.with_changes(indent=separator.indent, last_line=separator.last_line)
    return closing if closing.first_line.comment or closing.empty_lines else separator


def _grouped(items: Sequence[Item], old: cst.Parameters, *, keyword_only: bool) -> cst.Parameters:
    slash = [item for item in items if isinstance(item, cst.ParamSlash)]
    cut = items.index(slash[0]) if slash else -1
    rest = list(items[cut + 1 :])
    positional = len(old.params) + (0 if keyword_only else 1)
    parameters, rest = rest[:positional], rest[positional:]
    star = rest.pop(0) if rest and (_given(old.star_arg) or keyword_only) else old.star_arg
    kwarg: Any = rest.pop() if _given(old.star_kwarg) else old.star_kwarg
    return old.with_changes(
        posonly_params=items[:cut] if slash else (),
        posonly_ind=slash[0] if slash else old.posonly_ind,
        params=parameters,
        star_arg=star,
        kwonly_params=rest,
        star_kwarg=kwarg,
    )
