"""Messages of the bot as an HTML page that looks as Discord's dark theme does: as much of it as cards need."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

Json = dict[str, Any]

STYLE = """
body { margin: 0; background: #313338; color: #dbdee1; padding: 18px 20px;
       font: 16px/1.375 "Noto Sans", "gg sans", "Helvetica Neue", Arial, sans-serif; }
.message { display: flex; gap: 16px; margin: 0 0 18px; }
.face { width: 40px; height: 40px; border-radius: 50%; background: #5865f2; color: #fff; font-weight: 600;
        display: grid; place-items: center; flex: none; }
.said { flex: 1; min-width: 0; }
.name { color: #f2f3f5; font-weight: 500; } .tag { background: #5865f2; color: #fff; font-size: 10px; font-weight: 500;
        border-radius: 3px; padding: 1px 4px; margin: 0 6px; vertical-align: 2px; }
.time, .alone, small { color: #949ba4; font-size: 12px; } small { display: inline-block; }
.embed { max-width: 500px; background: #2b2d31; border-left: 4px solid; border-radius: 4px; padding: 10px 14px 14px;
         margin: 4px 0; font-size: 14px; line-height: 1.3; }
.title { color: #f2f3f5; font-weight: 600; font-size: 16px; margin: 2px 0 6px; }
.fields { display: grid; grid-template-columns: repeat(12, 1fr); gap: 8px; margin-top: 8px; }
.field { min-width: 0; overflow-wrap: anywhere; } .field b.head { display: block; color: #f2f3f5; font-weight: 600; margin-bottom: 2px; }
pre { background: #2b2d31; border: 1px solid #1e1f22; border-radius: 4px; padding: 7px; margin: 4px 0; white-space: pre-wrap;
      font: 13.6px/1.3 "Noto Sans Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.embed pre { background: #1e1f22; font-size: 12px; } code { background: #1e1f22; border-radius: 4px; padding: 0 3px;
      font: 12px "Noto Sans Mono", "DejaVu Sans Mono", monospace; }
blockquote { margin: 0; padding-left: 10px; border-left: 4px solid #4e5058; border-radius: 2px; }
.mention { background: #3c4270; color: #c9cdfb; border-radius: 3px; padding: 0 2px; font-weight: 500; }
.stamp { background: #3a3c41; border-radius: 3px; padding: 0 2px; } a { color: #00a8fc; text-decoration: none; }
.item { padding-left: 16px; text-indent: -12px; } .item::before { content: "•"; padding-right: 7px; }
.row { display: flex; gap: 8px; margin: 6px 0; flex-wrap: wrap; }
.button { border-radius: 8px; padding: 6px 16px; font-size: 14px; font-weight: 500; color: #fff; }
.s1 { background: #5865f2; } .s2, .s5 { background: #4e5058; } .s3 { background: #248046; } .s4 { background: #da373c; }
.off { opacity: .5; } .list { background: #1e1f22; border-radius: 8px; padding: 8px 12px; width: 400px; color: #dbdee1; font-size: 14px; }
.add { color: #79c67f; } .cut { color: #f27c7c; } .hunk { color: #6cb6ff; }
"""
_FENCE = re.compile(r"```(\w*)\n(.*?)\n?```", re.DOTALL)
_ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
_INLINE: tuple[tuple[re.Pattern[str], Callable[[Mapping[str, str], re.Match[str]], str]], ...] = (
    (re.compile(r"`([^`]+)`"), lambda _, found: f"<code>{found[1]}</code>"),
    (re.compile(r"\*\*(.+?)\*\*"), lambda _, found: f"<b>{found[1]}</b>"),
    (re.compile(r"\[([^\]]+)\]\((\S+?)\)"), lambda _, found: f"<a href='{found[2]}'>{found[1]}</a>"),
    (
        re.compile(r"&lt;@(\d+)&gt;"),
        lambda names, found: f"<span class=mention>@{names.get(found[1], '?')}</span>",
    ),
    (
        re.compile(r"&lt;t:(\d+):(\w)&gt;"),
        lambda _, found: f"<span class=stamp>{_moment(int(found[1]), found[2])}</span>",
    ),
)


def page(messages: Sequence[str]) -> str:
    """A page of messages that are drawn already."""
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(messages)}"


def message(data: Json, names: Mapping[str, str], alone: str = "") -> str:
    """One message, from the JSON that Discord would show.

    Args:
        data: The message.
        names: What people are called, by id.
        alone: Who is the only one to see it.
    """
    parts = [text(data["content"], names)] if data["content"] else []
    parts += [_embed(one, names) for one in data["embeds"]]
    parts += [f"<div class=row>{''.join(map(_part, row['components']))}</div>" for row in data["components"]]
    files = (html.escape(one["filename"]) for one in data["attachments"])
    parts += [f"<div class=list>📄 {name}</div>" for name in files]
    if alone:
        parts.append(f"<div class=alone>👁 Only {alone} can see this</div>")
    head = "<span class=name>Theseus</span><span class=tag>APP</span><span class=time>Today at 18:04</span>"
    return f"<div class=message><div class=face>T</div><div class=said>{head}{''.join(parts)}</div></div>"


def text(written: str, names: Mapping[str, str]) -> str:
    """Discord's markdown as HTML."""
    made, at = [], 0
    for found in _FENCE.finditer(written):
        made += [_lines(written[at : found.start()], names), _block(found[1], found[2])]
        at = found.end()
    return "".join([*made, _lines(written[at:], names)])


def _lines(written: str, names: Mapping[str, str]) -> str:
    return "".join(_line(line, names) for line in written.strip("\n").split("\n")) if written.strip() else ""


def _line(line: str, names: Mapping[str, str]) -> str:
    """One line; what is escaped in it is put aside while the rest is looked at."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(html.escape(found[1]))
        return f"\x00{len(kept) - 1}\x00"

    marks = (mark for mark in ("> ", "- ", "-# ") if line.startswith(mark))
    mark = next(marks, "")
    shown = html.escape(_ESCAPED.sub(keep, line[len(mark) :]), quote=False)
    for pattern, draw in _INLINE:
        shown = pattern.sub(partial(draw, names), shown)
    shown = re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], shown)
    tag = {"> ": "blockquote", "- ": "div class=item", "-# ": "small", "": "div"}[mark]
    return f"<{tag}>{shown or '&nbsp;'}</{tag.split()[0]}>"


def _block(kind: str, written: str) -> str:
    lines = []
    for line in written.split("\n"):
        marks = (("+", "add"), ("-", "cut"), ("@@", "hunk")) if kind == "diff" else ()
        style = next((name for mark, name in marks if line.startswith(mark)), "")
        lines.append(f"<span class='{style}'>{html.escape(line)}</span>")
    return f"<pre>{chr(10).join(lines)}</pre>"


def _embed(embed: Json, names: Mapping[str, str]) -> str:
    several = embed.get("fields", [])
    beside = sum(bool(one.get("inline")) for one in several)
    fields = []
    for one in several:
        wide = 12 // min(3, beside) if one.get("inline") else 12
        value = f"<b class=head>{text(one['name'], names)}</b>{text(one['value'], names)}"
        fields.append(f"<div class=field style='grid-column: span {wide}'>{value}</div>")
    title = f"<div class=title>{text(embed.get('title', ''), names)}</div>"
    colour = f"#{embed.get('color', 0x1E1F22):06x}"
    said = text(embed.get("description") or "", names)
    return f"<div class=embed style='border-color: {colour}'>{title}{said}<div class=fields>{''.join(fields)}</div></div>"


def _part(part: Json) -> str:
    if part["type"] != 2:  # noqa: PLR2004 - Discord's number for a button
        options = part.get("options") or [{"label": part.get("placeholder") or "Choose"}]
        chosen = next((one for one in options if one.get("default")), options[0])
        below = (
            f"<br><small>{html.escape(chosen['description'])}</small>" if chosen.get("description") else ""
        )
        return f"<div class=list>{html.escape(chosen['label'])} ⌄{below}</div>"
    off = " off" if part.get("disabled") else ""
    away = " ↗" if part["style"] == 5 else ""  # noqa: PLR2004 - and for one that leads to an address
    return f"<span class='button s{part['style']}{off}'>{html.escape(part['label'])}{away}</span>"


def _moment(seconds: int, style: str) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return "a minute ago" if style == "R" else f"{at:%H:%M:%S}"
