"""The author that needs no model: what analysers find in live code, turned into edits, one place at a time."""

import difflib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from policies.decision import Finding
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.authors.analyse import AnalysisFailed, CodeReport, Function, Improvement, Mended, analyse
from selfedit.authors.analysis.source import IMPORTS
from selfedit.authors.express import as_edits
from selfedit.history.state import change_id
from selfedit.ports import Tell, Workbench
from selfedit.types import Draft, NoDraft, Request
from selfedit.words import one_line

COMPLEX = 5
"""From so many ways through it a function is worth a look by somebody who can think."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that matter for the same reason, by the beginnings of their names; the longest that fits counts."""

    name: str
    verb: str
    why: str
    rules: tuple[str, ...]


FAMILIES = (
    Family(
        "correctness",
        "Mend",
        "Code like this does something else than it seems to, or will after the next change.",
        (
            "ASYNC",
            "B",
            "E",
            "F",
            "RUF006",
            "RUF008",
            "RUF009",
            "RUF012",
            "RUF013",
            "RUF024",
            "RUF027",
            "RUF034",
        ),
    ),
    Family(
        "dead code",
        "Clear away",
        "What nothing uses still has to be read, tested and kept working.",
        (
            "unused-code",
            "unreachable",
            "unused-ignore",
            "F401",
            "F811",
            "F841",
            "B007",
            "RUF059",
            "ERA",
            "PIE790",
        ),
    ),
    Family(
        "performance",
        "Speed up",
        "The same result comes with fewer steps or copies.",
        ("PERF", "FURB", "RUF015", "RUF017", "C419"),
    ),
    Family(
        "clarity",
        "Simplify",
        "The same is said with less to read, so the next mistake has fewer places to hide.",
        ("SIM", "RET", "C4", "C90", "PIE", "PLR", "UP", "RUF", "redundant-cast"),
    ),
)
"""The weightiest first."""

RANKS = {rule: rank for rank, family in enumerate(FAMILIES) for rule in family.rules}

_SHORT = {
    "unused-code": "nothing uses it",
    "B006": "a fresh default at each call",
    "C4": "the fitting comprehension",
    "ERA": "no code in comments",
    "F401": "no import that nothing uses",
    "F841": "no value that nothing reads",
    "PERF401": "a comprehension instead of a loop",
    "PERF402": "a copy instead of a loop",
    "PERF403": "a comprehension instead of a loop",
    "PIE790": "no statement without effect",
    "PLR1714": "one membership test",
    "PLR1730": "min or max instead of a condition",
    "PLR5501": "elif instead of a nested if",
    "RET5": "no else after the way is decided",
    "RET501": "no return value that says nothing",
    "RET504": "no name only to return it",
    "SIM102": "one condition instead of two",
    "SIM103": "the condition itself as the answer",
    "SIM105": "contextlib.suppress instead of an empty handler",
    "SIM108": "one conditional expression",
    "SIM110": "any or all instead of a loop",
    "SIM118": "no detour over keys()",
    "SIM401": "dict.get instead of a condition",
    "UP": "today's way to write it",
    "redundant-cast": "no cast to the type it has",
}


def fingerprint(draft: Draft) -> str:
    """A name for what a draft does: the same change is the same in each of its proposals."""
    return change_id(draft.edits)


class Maintenance:
    """Finds the improvement that is most worth while, and drafts it; says so when there is none."""

    def __init__(
        self,
        sandbox: Callable[[], Awaitable[Sandbox]],
        skip: Callable[[], set[str]],
        pyproject: Callable[[], str] = lambda: "",
    ) -> None:
        """Set it up; nothing is started yet.

        Args:
            sandbox: Opens the sandbox in which the analysers run; it stays the opener's to close.
            skip: Fingerprints of drafts that are not to be made again, because they were turned down, failed or
                were taken back.
            pyproject: Text of the repository's pyproject.toml, which says how its code is formatted.
        """
        self._sandbox = sandbox
        self._skip = skip
        self._pyproject = pyproject
        self._offered: set[str] = set()
        """What was handed out since the start: what is under review, or failed a moment ago, is not offered again."""
        self._looked: tuple[str, CodeReport] | None = None

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """The next improvement. After complaints it is another one: the gate has judged the last for good."""
        del request
        if complaints:
            tell("that one did not pass; looking for the next")
        try:
            report = await self.look(bench, tell)
        except (SandboxUnavailable, AnalysisFailed) as error:
            return NoDraft(why=f"maintenance could not look at the live code: {error}")
        known = self._skip() | self._offered
        passed_over = 0
        files = dict(bench.files)
        for improvement in sorted(report.improvements, key=lambda one: _worth(one, files[one.path])):
            edits = as_edits(files, improvement.path, improvement.text)
            if edits is None:
                continue
            draft = Draft(
                title=_title(improvement),
                reason=_reason(improvement),
                edits=edits,
                author="maintenance",
                notes=report.faults,
            )
            if fingerprint(draft) not in known:
                self._offered.add(fingerprint(draft))
                return draft
            passed_over += 1
        if blind := [fault for fault in report.faults if fault.startswith("ruff ")]:
            return NoDraft(why=f"maintenance could not look at the live code: {blind[0]}")
        return NoDraft(why=_nothing_left(report, passed_over))

    async def look(self, bench: Workbench, tell: Tell) -> CodeReport:
        """What there is to say of the live code; the same files are looked at once.

        Raises:
            SandboxUnavailable: There is no sandbox.
            AnalysisFailed: The analysis did not come to its end.
        """
        files, pyproject = dict(bench.files), self._pyproject()
        key = hashlib.sha256(repr((sorted(files.items()), pyproject)).encode()).hexdigest()
        if self._looked is None or self._looked[0] != key:
            tell(f"looking at {_count(len(files), 'live file')} with ruff, mypy and vulture")
            report = await analyse(files, await self._sandbox(), pyproject=pyproject, ranks=RANKS)
            for fault in report.faults:
                tell(fault)
            # A look at which a tool was missing is not the last word.
            self._looked = (key, report) if not report.faults else None
            found = _count(len(report.findings), "finding")
            tell(f"{found}, {_count(len(report.improvements), 'place')} that can be improved without a model")
            return report
        return self._looked[1]


def _worth(one: Improvement, old: str) -> tuple[int, int, str, str]:
    lines = difflib.unified_diff(old.splitlines(), one.text.splitlines(), n=0, lineterm="")
    changed = sum(not line.startswith(("---", "+++", "@@")) for line in lines)
    return one.rank, changed, one.path, one.unit


def family_of(rule: str) -> Family:
    """The family of a rule; what belongs to none is about clarity."""
    fitting = [start for start in RANKS if rule.startswith(start)]
    return FAMILIES[RANKS[max(fitting, key=len)]] if fitting else FAMILIES[-1]


def _short(fixed: Mended) -> str:
    fitting = [start for start in _SHORT if fixed.rule.startswith(start)]
    return _SHORT[max(fitting, key=len)] if fitting else fixed.message[:1].lower() + fixed.message[1:]


def _place(path: str, unit: str) -> str:
    parts = path.removesuffix(".py").split("/")
    module = parts[-2] if parts[-1] in ("feature", "__init__") and len(parts) > 1 else parts[-1]
    return f"the imports of {module}" if unit == IMPORTS else f"{module}.{unit}"


def _title(one: Improvement) -> str:
    family = min((family_of(each.rule) for each in one.fixed), key=FAMILIES.index)
    first, *more = dict.fromkeys(_short(each) for each in _own(one))
    rest = (
        f", and {_count(len(more), 'more thing')}" if len(more) > 1 else "".join(f", {each}" for each in more)
    )
    return one_line(f"{family.verb} {_place(one.path, one.unit)}: {first}{rest}", 120)


def _own(one: Improvement) -> tuple[Mended, ...]:
    """What was mended, the weightiest first, without what was only tidied up behind it."""
    ranked = sorted(one.fixed, key=lambda each: (FAMILIES.index(family_of(each.rule)), each.rule))
    trailing = ("I001",) if one.unit == IMPORTS else ("I001", "F401")
    return tuple(each for each in ranked if each.rule not in trailing) or tuple(ranked)


def _reason(one: Improvement) -> str:
    lines = [f"Found by analysis of {one.path}, in {_place(one.path, one.unit)}:"]
    lines += [f"- {each.rule}: {one_line(each.message, 300)}" for each in _own(one)]
    families = dict.fromkeys(family_of(each.rule) for each in _own(one))
    lines += ["", *(f"{family.name.capitalize()}: {family.why}" for family in families)]
    if one.before is not None and one.after is not None and one.before != one.after:
        way = "falls" if one.after < one.before else "rises"
        lines.append(f"Its complexity {way} from {one.before} to {one.after}.")
    return "\n".join(lines)[:8000]


def _nothing_left(report: CodeReport, passed_over: int) -> str:
    where = f"was found in {_count(report.files, 'live file')}"
    said = [f"Nothing to improve by itself {where}."]
    if passed_over:
        before = f"{_count(passed_over, 'idea')} {'was' if passed_over == 1 else 'were'} proposed before"
        later = "; more will be looked at when some of them are taken" if report.more else ""
        said = [f"Nothing new to improve by itself {where}: {before}{later}."]
    left: list[str] = []
    if complex_ones := [f for f in report.hot_spots if f.complexity >= COMPLEX]:
        left.append(
            "most complex: " + _listed(complex_ones, lambda f: f"{_place(f.path, f.name)} ({f.complexity})")
        )
    if report.untested:
        count = f"{len(report.untested)} of {_count(len(report.functions), 'function')}"
        left.append(
            f"no live test mentions {count}: " + _listed(report.untested, lambda f: _place(f.path, f.name))
        )
    if report.findings:
        shown = [f"{f.path}:{f.line} {f.message} [{f.rule}]" for f in report.findings[:_SHOWN]]
        more = len(report.findings) - len(shown)
        left.append("other findings: " + "; ".join([*shown, *([f"and {more} more"] if more else [])]))
    if left:
        said.append(
            f"What a person or a model could look at: {'. '.join(each[:1].upper() + each[1:] for each in left)}."
        )
    return " ".join([*said, *(f"({fault})" for fault in report.faults)])


def _listed(functions: Sequence[Function], show: Callable[[Function], str]) -> str:
    more = len(functions) - _SHOWN
    return ", ".join(show(f) for f in functions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
