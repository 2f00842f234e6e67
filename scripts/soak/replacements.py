"""Replace functions of the standard library and of installed packages, and see that all else stays as it is.

Each function is put in its own place (the file must not change by a byte) and another one is put there (everything
outside of the function's own lines must not change by a byte). What those lines are is worked out here from Python's
own parser, without the code under test.

Run from the repository's root: PYTHONPATH=. python scripts/soak/replacements.py [--count 2000] [--seed N]
"""

import argparse
import ast
import random
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from selfedit.editing.codemod import edit_text
from selfedit.editing.edits import ReplaceFunction
from selfedit.editing.syntax.definitions import replace_definition
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.text import No

LARGEST = 400_000
AT_ONCE = 4
"""Functions taken from one file."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Sample:
    """One function of one file."""

    path: Path
    text: str
    target: str
    node: Function


def main(argv: Sequence[str]) -> int:
    """Replace functions; 0 when none was missed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=20_251_121)
    chosen = options.parse_args(argv)
    warnings.simplefilter("ignore")
    chance = random.Random(chosen.seed)  # noqa: S311 - a sample that can be drawn again, not a secret
    done = misses = 0
    files = set()
    for sample in samples(chosen.count, chance):
        done += 1
        files.add(sample.path)
        for miss in missed(sample, chance):
            misses += 1
            print(f"{sample.path}:{sample.node.lineno} {sample.target}: {miss}")
    print(
        f"{done} functions of {len(files)} files replaced by themselves and by others: {misses} misses (seed {chosen.seed})"
    )
    return 1 if misses or done < chosen.count else 0


def samples(count: int, chance: random.Random) -> Iterator[Sample]:
    """Functions drawn from the files that can be read and parsed."""
    roots = {Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))}
    paths = sorted({path for root in roots for path in root.rglob("*.py")})
    chance.shuffle(paths)
    drawn = 0
    for path in paths:
        found = list(_functions(path))
        for sample in chance.sample(found, min(AT_ONCE, len(found))):
            if drawn == count:
                return
            drawn += 1
            yield sample


def _functions(path: Path) -> Iterator[Sample]:
    try:
        if path.stat().st_size > LARGEST:
            return
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return
    document = Document.read(text.removeprefix("\ufeff"), path.name)
    if isinstance(document, No):
        return
    for definition in document.definitions:
        if isinstance(definition.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield Sample(path, text, f"{definition.name}#{definition.position}", definition.node)


def missed(sample: Sample, chance: random.Random) -> Iterator[str]:
    """What does not hold for a function, one sentence each."""
    text = sample.text.removeprefix("\ufeff")
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    first = _first_line(sample.node, lines)
    last = sample.node.end_lineno or first
    own = "".join(lines[first - 1 : last])
    for source in _forms(own, lines, first, sample):
        document = Document.read(text, "f.py")
        if isinstance(document, No):
            yield f"the file cannot be read: {document.message}"
            return
        for whole in (False, *([True] if not chance.randrange(10) and _libcst_reads(text) else [])):
            same = replace_definition(document, _edit(sample, source), whole=whole)
            if same != text:
                yield f"put in its own place (whole={whole}): {same.message if isinstance(same, No) else 'the file changed'}"
        said = edit_text(sample.text, _edit(sample, source))
        if not isinstance(said, No) or said.rule != "no_change":
            yield "put in its own place: the edit does not say that nothing changes"
    lead = own[: len(own) - len(own.lstrip(" \t\f"))]
    above, below = "".join(lines[: first - 1]), "".join(lines[last:])
    for other in _others(sample.node, lead, chance):
        new = edit_text(sample.text, _edit(sample, other))
        if isinstance(new, No):
            yield f"another in its place: {new.message}"
            continue
        bare = new.removeprefix("\ufeff")
        if not (bare.startswith(above) and bare.endswith(below)):
            yield "another in its place: the file changed elsewhere"
            continue
        there = bare[len(above) : len(bare) - len(below)]
        if _tree(there) != _tree(other):
            yield f"another in its place: it reads otherwise there: {there!r}"
        if len(bare) - len(bare.lstrip("\ufeff")) or new.startswith("\ufeff") != sample.text.startswith(
            "\ufeff"
        ):
            yield "another in its place: the byte order mark is lost"


def _libcst_reads(text: str) -> bool:
    """Whether the long way is open at all: some of Python's own grammar tests are beyond libcst."""
    try:
        return cst.parse_module(text).code == text
    except (cst.ParserSyntaxError, RecursionError):
        return False


def _edit(sample: Sample, source: str) -> ReplaceFunction:
    return ReplaceFunction.model_construct(
        op="replace_function", path="f.py", target=sample.target, source=source
    )


def _first_line(node: Function, lines: Sequence[str]) -> int:
    line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    while node.decorator_list and not lines[line - 1].lstrip(" \t\f").startswith("@"):
        line -= 1
    return line


def _forms(own: str, lines: Sequence[str], first: int, sample: Sample) -> Iterator[str]:
    """The function's own source in the ways in which people and models copy it."""
    yield own
    lead = own[: len(own) - len(own.lstrip(" \t\f"))]
    above = first - 1
    while (
        above
        and lines[above - 1].startswith(f"{lead.rpartition(chr(12))[2]}#")
        and '"""' not in lines[above - 1]
    ):
        above -= 1
    yield "".join(lines[above : first - 1]) + own
    yield own.rstrip("\r\n")
    bare = ast.get_source_segment(sample.text.removeprefix("\ufeff"), sample.node) or own
    if not sample.node.decorator_list and own.strip() == bare:
        yield bare


def _others(node: Function, lead: str, chance: random.Random) -> Iterator[str]:
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    lines = [
        f"@changed\n{keyword} {node.name}(*args, **kwargs):\n",
        '    """Other.\n\n    With more lines.\n    """\n',
        "    # a comment\n    if args:\n        return (1,\n            2)\n",
        '    return """\n kept\n\n\tas it is\n""" + \\\n        f"""\n  {args}"""\n',
    ]
    text = "".join(lines)
    yield text
    if chance.randrange(2) and "\f" not in lead:
        # The same, written where it goes: indented by hand, but for the lines inside of the string.
        code, _, string = text.partition('    return """')
        moved = "".join(lead + line if line.strip() else line for line in code.splitlines(keepends=True))
        yield f'{moved}{lead}    return """{string}'


def _tree(source: str) -> str:
    """What a function reads as, whatever the indentation of it and of its docstring."""
    code = source.lstrip("\f")
    tree = ast.parse(f"if 1:\n{code}" if code[:1] in (" ", "\t") else code)
    node = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        doc = node.body[0]
        if (
            isinstance(doc, ast.Expr)
            and isinstance(doc.value, ast.Constant)
            and isinstance(doc.value.value, str)
        ):
            doc.value.value = " ".join(doc.value.value.split())
    return ast.dump(node)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
