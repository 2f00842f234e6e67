"""What analysers say of live code: complexity, dead code, untested functions, findings, and what could be mended.

The analysers run in the sandbox (`selfedit.authors.analysis.inside`); here stands what they are asked, and what comes back.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.decision import Finding, Severity
from sandbox.types import Command, Limits, Sandbox
from selfedit.gate.judging import pack
from selfedit.ports import ENTRY_POINTS

SECONDS = 90.0
GRACE_SECONDS = 15.0
OLDEST_PYTHON = "py311"
SELECT = (
    *("ASYNC", "B", "C4", "C90", "E4", "E7", "E9", "ERA", "F", "FURB", "I001", "PERF", "PIE"),
    *("PLR0402", "PLR0911", "PLR0912", "PLR0915", "PLR1", "PLR5501", "RET", "RUF", "SIM", "UP"),
)
IGNORE = (
    *("B905",),  # `strict=False` everywhere says nothing that was not so before
    *("FURB101", "FURB103"),  # they bring pathlib into code that should be handed what it reads
    *(
        "FURB118",
        "FURB140",
        "FURB189",
    ),  # operator, starmap and UserDict read no better than what they replace
    *("RUF001", "RUF002", "RUF003"),  # people write in more alphabets than one
    *("RUF029",),  # a feature's answer is a coroutine, also when it has nothing to wait for
    *("RUF1", "RUF2"),  # about comments to linters, which proposals may not touch
)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnalysisFailed(Exception):
    """Nothing could be found out. Its text is one sentence."""


class Function(_Value):
    """A function or method of live code."""

    path: str
    name: str
    line: int
    complexity: int
    """Ways through it, after McCabe: 1 is a straight line."""
    tested: bool
    """Whether any live test mentions its name."""


class Mended(_Value):
    """A rule that a fix took the ground from, and what it had said."""

    rule: str
    message: str


class Improvement(_Value):
    """A file with one place mended: a definition, or its imports."""

    path: str
    unit: str
    """Qualified name of the definition, or `imports`."""
    rank: int
    """The rank of its weightiest finding; smaller is weightier."""
    text: str
    """The whole file, mended and formatted."""
    fixed: tuple[Mended, ...]
    before: int | None
    """Complexity as it is; None for what is no function."""
    after: int | None


class CodeReport(_Value):
    """What the analysers found in all live code. Deterministic for the same files and tools."""

    files: int
    functions: tuple[Function, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Everything found, with severity NOTE, in the order of the source."""
    improvements: tuple[Improvement, ...] = ()
    """In the order of rank, then path, then name."""
    more: bool = False
    """Whether there are more places to improve than fit into one look."""
    faults: tuple[str, ...] = ()
    """Which analyser could not be used and why, a sentence each."""

    @property
    def by_rule(self) -> dict[str, int]:
        """How often each rule has something to say, most often first."""
        counts = Counter(finding.rule for finding in self.findings)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def dead(self) -> tuple[Finding, ...]:
        """What nothing uses."""
        rules = ("unused-code", "unreachable", "F401", "F811", "F841")
        return tuple(finding for finding in self.findings if finding.rule in rules)

    @cached_property
    def hot_spots(self) -> tuple[Function, ...]:
        """Functions with branches, the most complex first."""
        branching = (function for function in self.functions if function.complexity > 1)
        return tuple(sorted(branching, key=lambda f: (-f.complexity, f.path, f.line)))

    @cached_property
    def untested(self) -> tuple[Function, ...]:
        """Functions that no live test mentions, the most complex first."""
        unseen = (function for function in self.functions if not function.tested)
        return tuple(sorted(unseen, key=lambda f: (-f.complexity, f.path, f.line)))


class _Answer(_Value):
    """What `selfedit.authors.analysis.inside` prints."""

    class Function(_Value):
        path: str
        name: str
        line: int
        complexity: int

    class Finding(_Value):
        rule: str
        path: str
        line: int
        message: str
        fix: bool

    faults: tuple[str, ...]
    more: bool
    functions: tuple[Function, ...]
    findings: tuple[Finding, ...]
    variants: tuple[Improvement, ...]


async def analyse(
    files: Mapping[str, str],
    sandbox: Sandbox,
    *,
    pyproject: str = "",
    tests: Sequence[str] = ("tests/",),
    ranks: Mapping[str, int] | None = None,
) -> CodeReport:
    """Look through live code.

    Args:
        files: Text of all live files by path, prompts and tests among them.
        sandbox: Where the analysers run.
        pyproject: Text of the repository's pyproject.toml, for its line length, Python and format; without it the
            line length is guessed from the code.
        tests: Paths that are read but never mended.
        ranks: What weighs more (smaller), by the beginning of a rule's name; the longest that fits counts.

    Raises:
        SandboxUnavailable: There is no sandbox.
        AnalysisFailed: The analysis did not come to its end.
    """
    order = {
        "select": SELECT,
        "ignore": IGNORE,
        "ranks": dict(ranks or {}),
        "tests": list(tests),
        "entries": ENTRY_POINTS,
        "seconds": SECONDS,
        **_style(pyproject),
    }
    archive = pack(
        {
            "program": _program(),
            "job.json": {"": json.dumps(order).encode()},
            "base": {path: text.encode() for path, text in sorted(files.items())},
        }
    )
    limits = Limits(seconds=SECONDS + GRACE_SECONDS, output_bytes=32 * 1024 * 1024)
    argv = (sandbox.python, "-I", "-B", "-c", _START)
    outcome = await sandbox.run(Command(argv=argv, stdin=archive, limits=limits, purpose="analyse"))
    if outcome.timed_out or outcome.out_of_memory or outcome.truncated or outcome.exit_code != 0:
        raise AnalysisFailed(
            _why(outcome.timed_out, outcome.out_of_memory, outcome.truncated, outcome.stderr)
        )
    try:
        answer = _Answer.model_validate_json(outcome.stdout)
    except ValidationError as error:
        raise AnalysisFailed("the analysers' answer is not of the agreed shape") from error
    mentioned = {
        word
        for path, text in files.items()
        if path.startswith(tuple(tests))
        for word in re.findall(r"\w+", text)
    }
    return CodeReport(
        files=len(files),
        functions=tuple(
            Function(**f.model_dump(), tested=f.name.rpartition(".")[2] in mentioned)
            for f in answer.functions
        ),
        findings=tuple(
            Finding(rule=f.rule, severity=Severity.NOTE, path=f.path, line=f.line, message=f.message)
            for f in answer.findings
        ),
        improvements=answer.variants,
        more=answer.more,
        faults=answer.faults,
    )


def _style(pyproject: str) -> dict[str, object]:
    try:
        read = tomllib.loads(pyproject)
    except tomllib.TOMLDecodeError:
        read = {}  # the gate says what is wrong with it
    ruff = read.get("tool", {}).get("ruff", {})
    needs = re.search(r"3\.(\d+)", str(read.get("project", {}).get("requires-python", "")))
    python = f"py3{needs[1]}" if needs else OLDEST_PYTHON
    settings = {key: value for key, value in ruff.get("format", {}).items() if isinstance(value, str | bool)}
    return {
        "width": ruff.get("line-length", 88 if pyproject else 0),
        "target": ruff.get("target-version", python),
        "format": [f"format.{key}={json.dumps(value)}" for key, value in settings.items()],
    }


def _why(timed_out: bool, out_of_memory: bool, truncated: bool, stderr: bytes) -> str:  # noqa: FBT001 - an outcome's flags
    if timed_out:
        return f"the analysers did not end within {SECONDS + GRACE_SECONDS:.0f} s"
    if out_of_memory:
        return "the analysers ran out of memory"
    if truncated:
        return "the analysers said more than can be taken"
    last = stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"the analysers ended with an error: {''.join(last)[:300] or 'no word'}"


def _program() -> dict[str, bytes]:
    """The modules that run inside, where they are imported from."""
    here = Path(__file__).parent
    names = ("__init__", "source", "tools", "trials", "inside")
    modules = {
        f"selfedit/authors/analysis/{name}.py": (here / "analysis" / f"{name}.py").read_bytes()
        for name in names
    }
    return {"selfedit/__init__.py": b"", "selfedit/authors/__init__.py": b"", **modules}


_START = """
import pathlib, sys, tarfile, tempfile
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        for member in tar:
            path = pathlib.Path(folder, member.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())
    sys.path.insert(0, folder + "/program")
    from selfedit.authors.analysis.inside import main
    code = main(folder)
sys.exit(code)
"""
