"""Reviews a change: once as a draft's edits, and again as the difference between two trees, which is what counts.

Nothing here reads a file or starts anything. What a rule finds in the new version of a file counts only where
the old version did not have it already: a proposal answers for what it brings, not for what people left there.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies import code_rules, file_rules, importing, load_time, new_tests, reach, repeatable, weakening
from policies.change import Blob, Change, Pair, Source, read, read_pair
from policies.decision import Decision, Finding, Severity
from policies.load import Rules

__all__ = ["RULES", "Blob", "Change", "review_changes", "review_edits"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `check` looks at one version of a file.

    Attributes:
        check: Yields what is wrong; its docstring is the reason for the rule.
        binds_people: Whether it holds for what a person commits by hand, too.
        on_draft: Whether it can be asked of an edit alone, before there is a tree.
        on_deletion: Whether it is asked of what a change takes away, too.
    """

    check: Callable[[Source, Rules], Iterator[Finding]]
    binds_people: bool = False
    on_draft: bool = False
    on_deletion: bool = False


RULES: tuple[Rule, ...] = (
    Rule(file_rules.path_syntax, on_draft=True),
    Rule(file_rules.protected_path, on_draft=True, on_deletion=True),
    Rule(file_rules.no_link, binds_people=True),
    Rule(file_rules.file_mode),
    Rule(file_rules.size, on_draft=True),
    Rule(file_rules.extension, on_draft=True, on_deletion=True),
    Rule(file_rules.tool_settings, on_draft=True),
    Rule(file_rules.toplevel_name, on_draft=True),
    Rule(file_rules.plain_text, on_draft=True),
    Rule(file_rules.unicode, on_draft=True),
    Rule(file_rules.secret, on_draft=True),
    Rule(file_rules.parses),
    Rule(file_rules.steers_model),
    Rule(code_rules.suppression_added),
    Rule(code_rules.loosened_types),
    Rule(reach.dynamic_code),
    Rule(reach.free_template),
    Rule(reach.changes_others),
    Rule(importing.forbidden_import),
    Rule(importing.import_not_at_top),
    Rule(code_rules.senses_tests),
    Rule(code_rules.knows_its_place),
    Rule(code_rules.ends_process),
    Rule(code_rules.lying_value),
    Rule(repeatable.unrepeatable),
    Rule(repeatable.keeps_state),
    Rule(load_time.module_level_statement),
    Rule(weakening.pytest_machinery),
    Rule(new_tests.skipped_test),
    Rule(new_tests.asserts_nothing),
    Rule(new_tests.replaces_subject),
)
"""Every rule about one version of a file, in the order in which findings are shown."""

PAIR_RULES: tuple[Callable[[Pair, Rules], Iterator[Finding]], ...] = (weakening.weakened_test,)
"""Rules that need both versions of a file. They do not bind people."""

TREE_RULES: tuple[Callable[[Sequence[Change], Collection[str], Rules], Iterator[Finding]], ...] = (
    file_rules.number_of_files,
    file_rules.large_change,
    file_rules.case_twins,
    file_rules.module_twins,
)
"""Rules about a change as a whole, beside all paths there are. They do not bind people."""

_FATAL = frozenset({"path_syntax", "protected_path", "file_mode", "size", "extension", "binary"})
"""After one of these the content of the file is of no interest."""


def review_edits(edits: Sequence[Mapping[str, object]], rules: Rules) -> Decision:
    """Whether a draft may be tried at all.

    Args:
        edits: The edits as plain values: `path`, and texts under `source`, `text`, `value` and others.
        rules: The rules in force.
    """
    changes = [Change(path, None, None) for path in {str(edit.get("path", "")) for edit in edits}]
    findings = dict.fromkeys(file_rules.number_of_files(changes, (), rules))
    for edit in edits:
        path = str(edit.get("path", ""))
        texts = [
            str(value) for key, value in edit.items() if key not in ("op", "path") and isinstance(value, str)
        ]
        data = "\n".join(texts).encode("utf-8", "surrogatepass")
        source = read(path, Blob(file_rules.REGULAR, len(data), data), is_test=False)
        for rule in RULES:
            if rule.on_draft:
                findings.update(dict.fromkeys(rule.check(source, rules)))
    return Decision.of(finding.model_copy(update={"line": None}) for finding in findings)


def review_changes(
    changes: Sequence[Change], rules: Rules, *, by_person: bool = False, existing: Collection[str] = ()
) -> Decision:
    """Whether what differs between two trees may become `main`.

    Args:
        changes: Every path that differs, with both versions.
        rules: The rules in force.
        by_person: A person committed this by hand; only what would harm the judging itself is refused.
        existing: All paths of the tree that the change is made to.
    """
    checks = () if by_person else TREE_RULES
    findings = [finding for check in checks for finding in check(changes, existing, rules)]
    if any(finding.rule == "size" for finding in findings):
        return Decision.of(findings)
    for change in changes:
        pair = read_pair(change, rules.zones.tests)
        findings += _of_pair(pair, rules, by_person=by_person)
    return Decision.of(findings)


def _of_pair(pair: Pair, rules: Rules, *, by_person: bool) -> Iterator[Finding]:
    fatal = False
    for rule in RULES:
        if (by_person and not rule.binds_people) or fatal:
            continue
        source = pair.new or (pair.old if rule.on_deletion else None)
        before = (
            pair.old if pair.old is not pair.new and pair.new is not None and not rule.on_deletion else None
        )
        if source is None:
            continue
        for finding in _fresh(rule, source, before, rules):
            fatal = fatal or (finding.rule in _FATAL and finding.severity is Severity.REFUSE)
            yield finding
    if not (by_person or fatal):
        for check in PAIR_RULES:
            yield from check(pair, rules)


def _fresh(rule: Rule, source: Source, before: Source | None, rules: Rules) -> Iterator[Finding]:
    """What a rule finds now and did not find before, wherever in the file it stood."""
    now = list(rule.check(source, rules))
    # Mostly there is nothing, and then nobody asks what was there before.
    known = Counter(
        (found.rule, found.message) for found in (rule.check(before, rules) if now and before else ())
    )
    for finding in now:
        key = (finding.rule, finding.message)
        if known[key]:
            known[key] -= 1
        else:
            yield finding
