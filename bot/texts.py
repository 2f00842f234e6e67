"""Python modules out of a plan's texts: found, checked against git's hashes, run, traced and forgotten.

The texts are all there is: no file and no bytecode cache is ever looked at.
"""

import ast
import contextlib
import hashlib
import linecache
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType, TracebackType

from selfedit.types import SourceFile

CODE = ("agent/live/", "bot/live/")
_TREE = ("agent.live", "bot.live")
_SHA256_DIGITS = 64


Compiled = dict[tuple[str, str], CodeType]
"""Code by the name and the text that it was compiled from. Code that is the same each time need not be compiled each time."""


class GenerationProblem(Exception):
    """A commit's live code cannot serve. Its text is a sentence with file and line, where known."""


class Texts(MetaPathFinder, Loader):
    """Finds and loads the modules of one generation, from texts in memory."""

    def __init__(self, package: str, commit: str, code: Sequence[SourceFile], known: Compiled) -> None:
        """Take them in; `known` is used, and added to."""
        self._package = package
        self._commit = commit
        self._known = known
        self.modules: dict[str, SourceFile | None] = {package: None}
        self._packages: set[str] = {package}
        self.lines: dict[str, tuple[int, None, list[str], str]] = {}
        for file in code:
            self._add(file)
        for name, module in self.modules.items():
            if module is not None and name in self._packages and not module.path.endswith("/__init__.py"):
                raise GenerationProblem(
                    f"{module.path}: a folder of the same name stands beside it; rename one"
                )

    @contextlib.contextmanager
    def findable(self) -> Iterator[None]:
        """While this lasts, the import system finds the modules here."""
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module of ours comes from; None for modules of others."""
        del path, target
        if fullname in _TREE or fullname.startswith(tuple(f"{name}." for name in _TREE)):
            raise ImportError(_NOT_THE_TREE)
        if fullname not in self.modules:
            return None
        file = self.modules[fullname]
        origin = self._filename(file) if file else None
        return ModuleSpec(fullname, self, origin=origin, is_package=fullname in self._packages)

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code in it."""
        file = self.modules[module.__name__]
        if file is None:
            return
        filename = self._filename(file)
        lines = file.text.splitlines(keepends=True)
        self.lines[filename] = linecache.cache[filename] = (len(file.text), None, lines, filename)
        exec(self.compiled(file), module.__dict__)  # noqa: S102 - running judged code is what a loader is for

    def compiled(self, file: SourceFile) -> CodeType:
        """A file's code, looked up or else compiled.

        Raises:
            GenerationProblem: It reaches for the working tree.
            Exception: It cannot be compiled, for whatever reason Python has.
        """
        filename = self._filename(file)
        code = self._known.get((filename, file.text))
        if code is None:
            tree = ast.parse(file.text.encode(), filename)
            for node in ast.walk(tree):
                if _reaches_for_the_tree(node):
                    raise GenerationProblem(f"{file.path}:{getattr(node, 'lineno', 1)}: {_NOT_THE_TREE}")
            code = compile(tree, filename, "exec", dont_inherit=True)
            self._known[filename, file.text] = code
        return code

    def _filename(self, file: SourceFile) -> str:
        return f"{file.path}@{self._commit[:7]}"

    def _add(self, file: SourceFile) -> None:
        parts = file.path.removesuffix(".py").split("/")
        if not all(part.isidentifier() for part in parts):
            raise GenerationProblem(f"{file.path}: this name cannot be imported; use letters, digits and _")
        is_package = parts[-1] == "__init__"
        names = [self._package, *(parts[:-1] if is_package else parts)]
        for depth in range(2, len(names)):
            self.modules.setdefault(".".join(names[:depth]), None)
            self._packages.add(".".join(names[:depth]))
        name = ".".join(names)
        if is_package:
            self._packages.add(name)
        if self.modules.get(name) is not None:
            raise GenerationProblem(f"{file.path}: a folder of the same name stands beside it; rename one")
        self.modules[name] = file


_NOT_THE_TREE = (
    "live code is loaded from a commit, never from the working tree; import relatively (`from . import ...`)"
)


def _reaches_for_the_tree(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return False
    return any(f"{name}.".startswith(("agent.live.", "bot.live.")) for name in names)


def verify(file: SourceFile) -> None:
    """Make sure that a text is the blob that git knows.

    Raises:
        GenerationProblem: It is not.
    """
    data = file.text.encode()
    framed = b"blob %d\0" % len(data) + data
    made = hashlib.sha256(framed) if len(file.blob) == _SHA256_DIGITS else hashlib.sha1(framed)  # noqa: S324 - git's name
    if made.hexdigest() != file.blob:
        raise GenerationProblem(
            f"{file.path}: its text is not the blob {file.blob[:12]} that the commit names"
        )


def fault(error: BaseException) -> str:
    """An error of live code in one line: where, what kind, what it says."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename.rpartition('@')[0] or error.filename}:{error.lineno}: "
    else:
        where = _place(error.__traceback__)
    try:
        said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    except BaseException:  # noqa: BLE001 - an error's text is live code as well
        said = ""
    said = re.sub(r"theseus_[0-9a-f]+_\d+\.?", "", said)
    return f"{where}{type(error).__name__}{': ' if said else ''}{said[:300]}"


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback is not None:
        path, at, _ = traceback.tb_frame.f_code.co_filename.rpartition("@")
        if at and path.startswith(CODE):
            place = f"{path}:{traceback.tb_lineno}: "
        traceback = traceback.tb_next
    return place


def forget(package: str, lines: Mapping[str, object]) -> None:
    """Take a package's modules, and the lines kept for tracebacks, out of the interpreter's tables."""
    for name in [name for name in list(sys.modules) if name == package or name.startswith(f"{package}.")]:
        module = sys.modules.pop(name, None)
        if module is not None:
            vars(module).clear()  # functions and their module hold each other; this frees both at once
    for filename, entry in lines.items():
        if linecache.cache.get(filename) is entry:
            linecache.cache.pop(filename, None)
