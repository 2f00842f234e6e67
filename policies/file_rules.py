"""Rules about a file as such: its path, kind, size and characters. Each yields findings about one version."""

import ast
import re
import sys
import tokenize
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from policies.change import Change, Source, lines_changed, tokens
from policies.credentials import CREDENTIALS
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.zones import Zone, path_problem, zone_of

BY_HAND = "a person can commit this to main by hand"
REGULAR = "100644"
EXECUTABLE = "100755"


def path_syntax(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A path is plain: what reads odd to people or means something to git or a system is no path of ours."""
    if problem := path_problem(source.path):
        shown = source.path.encode("ascii", "backslashreplace").decode()
        yield Finding(
            rule="path_syntax", path=shown, message=f"the path {shown!r} {problem}; choose a plain one"
        )


def protected_path(source: Source, rules: Rules) -> Iterator[Finding]:
    """Only live code changes by itself; every other path is kernel."""
    if not source.path.startswith(rules.zones.live):
        folders = ", ".join(rules.zones.live)
        message = f"{source.path} is kernel, and a proposal may change only {folders}; {BY_HAND}"
        yield Finding(rule="protected_path", path=source.path, message=message)


def no_link(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A link or submodule leads reading and writing elsewhere."""
    kinds = {"120000": "a symbolic link", "160000": "a submodule"}
    if kind := kinds.get(source.blob.mode):
        yield Finding(
            rule="file_mode", path=source.path, message=f"{source.path} is {kind}; write a plain file instead"
        )


def file_mode(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Live code is read, never executed as a program."""
    if source.blob.mode == EXECUTABLE:
        message = f"{source.path} is marked executable; write it as a plain file (mode {REGULAR})"
        yield Finding(rule="file_mode", path=source.path, message=message)


def size(source: Source, rules: Rules) -> Iterator[Finding]:
    """A file stays readable to people, and harmless to whatever parses it."""
    if source.blob.size > rules.change.max_file_bytes:
        message = f"{source.path} has {source.blob.size:,} bytes, {rules.change.max_file_bytes:,} is the limit; split it"
        yield Finding(rule="size", path=source.path, message=message)
    elif source.text is not None:
        for number, line in enumerate(source.text.split("\n"), 1):
            if len(line) > rules.change.max_line_chars:
                message = f"a line of {source.path} has {len(line):,} characters, {rules.change.max_line_chars} is the limit"
                yield Finding(rule="size", path=source.path, line=number, message=message)
                return


def extension(source: Source, rules: Rules) -> Iterator[Finding]:
    """Only kinds of file that the checks understand and people can read."""
    name = source.path.rpartition("/")[2]
    if name.startswith(".") or not name.endswith(rules.change.extensions):
        known = ", ".join(rules.change.extensions)
        message = (
            f"{source.path} is of a kind that proposals may not touch (they may write {known}); {BY_HAND}"
        )
        yield Finding(rule="extension", path=source.path, message=message)


def tool_settings(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A settings file beside the code would change how the code is judged."""
    parts = source.path.lower().split("/")
    if any(_SETTINGS.fullmatch(part) or part.startswith(".") for part in parts):
        message = f"{source.path} would tell a tool how to work, and so change how code is judged; {BY_HAND}"
        yield Finding(rule="tool_settings", path=source.path, message=message)


def toplevel_name(source: Source, rules: Rules) -> Iterator[Finding]:
    """A new top-level module must not stand in for one that the judge itself imports."""
    inside = source.path.removeprefix("src/")
    name = inside.partition("/")[0].removesuffix(".py").lower()
    taken = name in sys.stdlib_module_names or _TAKEN.fullmatch(name)
    if source.is_python and taken and zone_of(source.path, rules.zones.live) is Zone.LIVE:
        message = (
            f"{source.path} would stand in for the module {name} that others import; choose another name"
        )
        yield Finding(rule="toplevel_name", path=source.path, message=message)


def plain_text(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What people cannot read they cannot approve."""
    if source.blob.mode in (REGULAR, EXECUTABLE) and (source.text is None or "\0" in source.text):
        yield Finding(
            rule="binary", path=source.path, message=f"{source.path} is not UTF-8 text; write it as such"
        )


def parses(source: Source, rules: Rules) -> Iterator[Finding]:
    """Code that does not parse can neither be judged nor run."""
    small = source.blob.size <= rules.change.max_file_bytes
    if source.is_python and source.text is not None and source.tree is None and small:
        yield Finding(
            rule="unparsable", path=source.path, message=f"{source.path} does not parse as Python; mend it"
        )


def unicode(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What is shown is what is run: no hidden, reordered or look-alike characters."""
    for number, line in enumerate((source.text or "").split("\n"), 1):
        for fault in _faults(line):
            yield _odd(source, number, fault)
    if source.is_python and source.text is not None:
        yield from _odd_python(source, source.text)


def secret(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A credential in the history is a credential lost."""
    texts = list(enumerate((source.text or "").split("\n"), 1))
    texts += [  # in one piece, however many they were written in
        (node.lineno, node.value)
        for node in (ast.walk(source.tree) if source.tree is not None else ())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    yield from dict.fromkeys(finding for number, text in texts for finding in _secrets(source, number, text))


def steers_model(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Models read live texts as instructions; what would have them mislead people, a second person reads."""
    for number, line in enumerate((source.text or "").split("\n"), 1):
        if found := _STEERS.search(_WARNS.sub("", line)):
            message = f"`{found[0].strip()[:80]}` is something that a model or a reviewer may take for an instruction"
            yield Finding(
                rule="steers_model", severity=Severity.REVIEW, path=source.path, line=number, message=message
            )


def number_of_files(changes: Sequence[Change], _existing: Collection[str], rules: Rules) -> Iterator[Finding]:
    """A change stays small enough to be read."""
    most = rules.change.max_files
    if len(changes) > most:
        message = f"it changes {len(changes)} files, and {most} is the limit; make several proposals of it"
        yield Finding(rule="size", message=message)


def large_change(changes: Sequence[Change], _existing: Collection[str], rules: Rules) -> Iterator[Finding]:
    """What is too much to be read with care hides what matters, whoever meant it to."""
    limits = rules.change
    if len(changes) > limits.max_files:
        return
    lines = sum(lines_changed(change) for change in changes)
    size = f"it changes about {lines:,} lines in {len(changes)} {'file' if len(changes) == 1 else 'files'}"
    if lines > limits.max_lines:
        message = f"{size}, and {limits.max_lines:,} lines is the limit; make several proposals of it"
        yield Finding(rule="large_change", message=message)
    elif lines > limits.review_lines or len(changes) > limits.review_files:
        message = (
            f"{size}; more than {limits.review_lines:,} lines or {limits.review_files} files is hard to review, so it "
            "takes two approvals; several smaller proposals take one each"
        )
        yield Finding(rule="large_change", severity=Severity.REVIEW, message=message)


def case_twins(changes: Sequence[Change], existing: Collection[str], _rules: Rules) -> Iterator[Finding]:
    """Two names that differ only in case are one on some systems."""
    known = {part.lower(): part for path in existing for part in _parts(path)}
    for change in changes:
        for part in _parts(change.path) if change.new is not None and change.old is None else ():
            twin = known.setdefault(part.lower(), part)
            if twin != part:
                message = f"{part} and {twin} differ only in case, which some systems cannot hold; choose another name"
                yield Finding(rule="path_syntax", path=change.path, message=message)


def _parts(path: str) -> Iterator[str]:
    """A path, and every folder on the way to it."""
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def module_twins(changes: Sequence[Change], existing: Collection[str], _rules: Rules) -> Iterator[Finding]:
    """Of a module and a package of one name Python takes the package, and the other one is only there to be read."""
    gone = {change.path for change in changes if change.new is None}
    there = {*existing, *(change.path for change in changes if change.new is not None)} - gone
    for change in changes:
        name = change.path.removesuffix("/__init__.py").removesuffix(".py")
        if change.new is not None and change.old is None and {f"{name}.py", f"{name}/__init__.py"} <= there:
            message = f"{name}.py and {name}/__init__.py are one module to Python, which takes the second; keep one of them"
            yield Finding(rule="module_twins", path=change.path, message=message)


def _secrets(source: Source, number: int, text: str) -> Iterator[Finding]:
    for what, pattern in (*CREDENTIALS, *_IN_FILES):
        if pattern.search(text):
            message = f"{source.path} holds what looks like {what}; take it out and read it from a setting"
            yield Finding(rule="secret", path=source.path, line=number, message=message)


def _odd(source: Source, line: int, fault: str) -> Finding:
    message = f"{source.path} has {fault}; write what people can see"
    return Finding(rule="unicode", path=source.path, line=line, message=message)


def _faults(line: str) -> Iterator[str]:
    if line.isascii() and line.isprintable():
        return
    for at, char in enumerate(line.removesuffix("\r")):
        category = unicodedata.category(char)
        odd = category in ("Cc", "Cf", "Cn", "Co", "Cs") or char in _UNSEEN or _is_selector(char)
        odd = odd and not (category == "Cn" and _EMOJI.match(char))
        if odd and char != "\t" and not _joins(line, at):
            yield f"the hidden character U+{ord(char):04X}"


def _is_selector(char: str) -> bool:
    """Whether it chooses among the shapes of the letter before it, and can hide bytes."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _joins(line: str, at: int) -> bool:
    """Whether a character that is not seen is how people write: in an emoji, or between the letters of some scripts."""
    before = line[at - 1] if at else " "
    after = line[at + 1] if at + 1 < len(line) else " "
    if line[at] in "\ufe0e\ufe0f":
        return not before.isspace() and not unicodedata.category(before).startswith("C")
    around = unicodedata.category(before), unicodedata.category(after)
    if line[at] == "\u200d" and around[0] in ("So", "Sk", "Mn") and around[1] in ("So", "Sk", "Sm"):
        return True
    if line[at] in "\u200c\u200d":
        return all(category in ("Lo", "Mn", "Mc") for category in around)
    flag = _FLAG.search(line, max(0, at - 7))
    return flag is not None and flag.start() < at < flag.end()


def _odd_python(source: Source, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.split("\n")[:2], 1):
        cookie = re.match(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", line)
        if cookie and cookie[1].lower() not in ("utf-8", "utf8"):
            yield _odd(source, number, f"the encoding {cookie[1]}")
    if not text.isascii():
        for token in tokens(text):
            if token.type == tokenize.NAME and not token.string.isascii():
                yield _odd(source, token.start[0], f"the name {token.string!a} outside of ASCII")


_SETTINGS = re.compile(
    r".*\.dist-info|.*\.egg-info|(?:dev-)?(?:requirements|constraints)[\w-]*\.txt|package(?:-lock)?\.json|"
    r"\.coveragerc|\.flake8|\.importlinter|\.mypy\.ini|\.pylintrc|\.pytest\.ini|\.pytest\.toml|"
    r"\.ruff\.toml|makefile|mypy\.ini|noxfile\.py|pylintrc|pyproject\.toml|pyrightconfig\.json|"
    r"pytest\.ini|pytest\.toml|ruff\.toml|setup\.cfg|setup\.py|sitecustomize\.py|tox\.ini|"
    r"usercustomize\.py|uv\.toml|\.?pylintrc\.toml|(?:poetry|pdm|hatch|pixi)\.toml|"
    r"(?:agents|claude|gemini|qwen|warp|copilot-instructions|skill)(?:\.local)?\.md|llms(?:-full)?\.txt"
)
_IN_FILES = (
    (
        "a password in an address",
        re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@{}'\"]+:[^\s/@{}'\"]{6,}@", re.IGNORECASE),
    ),
    ("a Telegram token", re.compile(r"\b\d{8,10}:AA[\w-]{32,}")),
)
"""What looks like a credential in a file, and is too common among what people say to be taken out there."""
_STEERS = re.compile(
    r"<!--|!\[[^\]]*\]\(\s*https?:|"
    r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|above|prior|earlier|other|system)\b.{0,20}\b(?:instruction|rule|prompt)s?|"
    r"\b(?:approve|merge)\b.{0,30}\b(?:without|every|all|any|always|immediately)\b|\b(?:always|already|must|was)\b.{0,20}\bapproved?\b|"
    r"\b(?:say|claim|report|pretend)\b.{0,20}\b(?:tests?|checks?|gate)\b.{0,20}\bpass|"
    r"\b(?:never|not)\b.{0,10}\b(?:tell|mention|reveal|show|say)\b.{0,30}\b(?:change|changed|this|maintainer|reviewer|people)\b|"
    r"\b(?:ask|asking|asks)\b.{0,40}\b(?:passwords?|api keys?|tokens?|credentials?)\b",
    re.IGNORECASE,
)
_WARNS = re.compile(
    r"\b(?:never|do not|don't) ask (?:(?:people|anybody|anyone|users|them) )?for "
    r"(?:(?:,? ?(?:and|or) |, ?)?(?:(?:a|an|any|the|their) )?(?:passwords?|api keys?|tokens?|credentials?)\b)+(?=\s*(?:[.!]|$))",
    re.IGNORECASE,
)
"""A whole sentence that forbids what it names steers nobody wrong."""
_UNSEEN = frozenset("\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_EMOJI = re.compile("[\U0001f300-\U0001faff]")
"""Where new ones are added each year, of which this Python may not know yet that they are letters to be seen."""
_FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{2,6}\U000e007f")
"""The flags of parts of a country, which are spelt out in letters that are not seen."""
_TAKEN = re.compile(
    r"_pytest|aiohttp|anthropic|coverage|discord|docker|git|grimp|hypothesis|iniconfig|importlinter|"
    r"libcst|mypy|mypyc|openai|packaging|pip|pluggy|pydantic|pytest|pytest_asyncio|rich|ruff|"
    r"setuptools|xdist"
)
