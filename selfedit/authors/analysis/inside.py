"""What runs inside the sandbox for maintenance: analysers over live code, and their fixes tried out.

It runs none of that code; ruff, vulture and mypy only read it. Nothing but the standard library is imported: its own
four modules are sent in beside the files (see `selfedit.authors.analyse`). The answer is one JSON object on stdout:
`faults`, `functions`, `findings`, `more` (than fits), and
`variants`, the files as they would be with one place each mended.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from selfedit.authors.analysis.source import mended, unit_at, units
from selfedit.authors.analysis.tools import DEAD, TYPES, Fault, Found, Job, Tools, complexity, number
from selfedit.authors.analysis.trials import Variant, settle

MOST_VARIANTS = 100
MOST_TEXT = 6_000_000
"""Characters of all variants together."""

Answer = dict[str, Any]


class Analysis:
    """One look at one set of files."""

    def __init__(self, job: Job, folder: Path) -> None:
        """Read the files.

        Args:
            job: `select`, `ignore` and `ranks` (by prefix) of rules; `target`, `width` (0: guess) and `format` settings
                of the code; `tests`, paths that are only read; `entries`, names that the kernel calls; `seconds`.
            folder: Has the files in `base`; the rest is free for use.
        """
        base = folder / "base"
        files = sorted(path for path in base.rglob("*") if path.is_file())
        self._job = job
        self._folder = folder
        self._texts = {str(path.relative_to(base)): path.read_bytes().decode() for path in files}
        self._tools = Tools(job, folder, self._texts)
        self._more = False

    def answer(self) -> Answer:
        """Everything that was found, and the variants."""
        tools = self._tools
        with ThreadPoolExecutor() as pool:
            types_later = pool.submit(tools.or_nothing, "mypy", tools.mypy)
            dead_later = pool.submit(tools.or_nothing, "vulture", tools.vulture)
            ruff = tools.or_nothing("ruff", lambda: tools.ruff(tools.base))
            types, dead = types_later.result(), dead_later.result()
        try:
            variants = self._variants(ruff, types, dead)
        except Fault as fault:
            tools.faults.append(f"the fixes could not be tried out: {fault}")
            variants = []
        found = (one for one in (*ruff, *types, *dead) if one.rule not in ("C901", "I001"))
        return {
            "faults": sorted(tools.faults),
            "more": self._more,
            "functions": self._functions(ruff),
            "findings": [
                {
                    "rule": one.rule,
                    "path": one.path,
                    "line": one.row,
                    "message": one.message,
                    "fix": bool(one.edits),
                }
                for one in sorted(found, key=lambda one: one.order)
            ],
            "variants": [
                {
                    "path": one.path,
                    "unit": one.unit,
                    "rank": one.rank,
                    "text": one.text,
                    "fixed": [{"rule": each.rule, "message": each.message} for each in one.fixed],
                    "before": complexity(ruff, one.path, self._texts[one.path], one.unit),
                    "after": complexity(one.found, one.path, one.settled, one.unit),
                }
                for one in variants
            ],
        }

    def _functions(self, ruff: list[Found]) -> list[Answer]:
        numbers = {(one.path, one.row): number(one) for one in ruff if one.rule == "C901"}
        return [
            {
                "path": path,
                "name": unit.name,
                "line": unit.node.lineno,
                "complexity": numbers[path, unit.node.lineno],
            }
            for path in self._tools.code
            for unit in units(self._texts[path])
            if (path, unit.node.lineno) in numbers
        ]

    def _variants(self, ruff: list[Found], types: list[Found], dead: list[Found]) -> list[Variant]:
        by_unit: dict[tuple[str, str], list[Found]] = {}
        for one in (*dead, *types, *(each for each in ruff if each.rule != "I001")):
            unit = (
                unit_at(self._texts[one.path], one.row) if one.edits and one.path in self._tools.code else ""
            )
            if unit:
                by_unit.setdefault((one.path, unit), []).append(one)
        ranked = sorted((min(map(self._rank, found)), *key) for key, found in by_unit.items())
        variants = []
        for rank, path, unit in ranked[:MOST_VARIANTS]:
            text, mine = self._texts[path], by_unit[path, unit]
            # Ruff finds its own again in each text; what the others found is mended at once, the last place first.
            first = [one for one in mine if one.rule == DEAD][:1] or [
                one for one in mine if one.rule in TYPES
            ]
            for one in sorted(first, key=lambda one: one.row, reverse=True):
                text = mended(text, one.edits)
            variants.append(Variant(path, unit, rank, text, fixed=first))
        settle(variants, ruff, self._tools.ruff, self._folder)
        kept = [one for one in variants if one.fixed and one.text != self._texts[one.path]]
        while sum(len(one.text) for one in kept) > MOST_TEXT:
            kept.pop()
        self._format(kept)
        self._more = len(ranked) > MOST_VARIANTS or len(kept) < sum(bool(one.fixed) for one in variants)
        return kept

    def _rank(self, one: Found) -> int:
        ranks: dict[str, int] = self._job["ranks"]
        fitting = [prefix for prefix in ranks if one.rule.startswith(prefix)]
        return ranks[max(fitting, key=len)] if fitting else len(ranks)

    def _format(self, variants: list[Variant]) -> None:
        """Format the variants of those files that are formatted."""
        rough = self._tools.unformatted
        root = self._folder / "formatted"
        places = [variant.lay_out(root / str(at)) for at, variant in enumerate(variants)]
        if places:
            self._tools.format(root)
        for variant, place in zip(variants, places, strict=True):
            variant.settled = variant.text
            if variant.path not in rough:
                variant.text = place.read_bytes().decode()


def main(folder: str) -> int:
    """Do the job that lies in a folder."""
    root = Path(folder).resolve()
    job: Job = json.loads((root / "job.json").read_text("utf-8"))
    sys.stdout.write(json.dumps(Analysis(job, root).answer()))
    return 0
