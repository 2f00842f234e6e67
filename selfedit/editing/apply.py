"""The `apply` command: a list of edits applied to the files of a folder, all of them or none."""

import argparse
import contextlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic_core import from_json

from policies.zones import path_problem
from selfedit.editing.codemod import Applied, Rejection, apply_edits
from selfedit.editing.edits import MAX_EDITS, Edit, MalformedEdits, RenameSymbol, edits_from

MAX_JSON = MAX_EDITS * 20_000
"""Bytes of a list of edits."""
MAX_FILE = 1_000_000
"""Bytes of a file that is edited."""
LIVE = ("agent/live", "bot/live", "tests/live")
_NOT_OURS = {"venv", "node_modules", "__pycache__", "site-packages"}


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: `--root DIR EDITS.json [--check]`; `-` reads the edits from standard input.

    Returns:
        0 when all edits were applied (or could be, with `--check`), 1 when they were rejected and nothing was
        written, 2 when the command was called wrongly.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    root = Path(options.root)
    if not root.is_dir():
        sys.stderr.write(f"There is no folder {root}; give the one that holds the files as --root.\n")
        return 2
    outcome = _outcome(Path(os.path.realpath(root)), options.edits, check=options.check)
    if isinstance(outcome, Rejection):
        _say({"applied": False, "rejection": outcome.model_dump()})
        place = f"Edit {outcome.index} ({outcome.op}, {outcome.path})" if outcome.index >= 0 else "The edits"
        sys.stderr.write(f"{place}: {outcome.message}.\n")
        return 1
    _say(
        {
            "applied": True,
            "files": sorted(outcome.files),
            "notes": list(outcome.notes),
            "check": options.check,
        }
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="selfedit apply", description=__doc__)
    parser.add_argument(
        "--root", required=True, metavar="DIR", help="the folder that the edits' paths are relative to"
    )
    parser.add_argument("edits", metavar="EDITS.json", help="a JSON list of edits; - reads standard input")
    parser.add_argument("--check", action="store_true", help="say whether the edits apply, and write nothing")
    return parser


def _say(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")


def _no(rule: str, message: str, *, index: int = -1, edit: Edit | None = None) -> Rejection:
    op, path = (edit.op, edit.path) if edit else ("", "")
    return Rejection(index=index, op=op, path=path, rule=rule, message=message)


def _outcome(root: Path, source: str, *, check: bool) -> Applied | Rejection:
    raw = _raw(source)
    edits = raw if isinstance(raw, Rejection) else _edits(raw)
    if isinstance(edits, Rejection):
        return edits
    files = _files(root, edits)
    if isinstance(files, Rejection):
        return files
    packages = [path.name for path in root.iterdir() if path.is_dir()]
    outcome = apply_edits(files, edits, packages)
    if check or isinstance(outcome, Rejection):
        return outcome
    try:
        _write(root, outcome.files)
    except OSError as error:
        return _no(
            "write_failed", f"writing failed, and the files are what they were: {error.strerror or error}"
        )
    return outcome


def _raw(source: str) -> bytes | Rejection:
    try:
        if source == "-":
            raw = sys.stdin.buffer.read(MAX_JSON + 1)
        else:
            with Path(source).open("rb") as stream:
                raw = stream.read(MAX_JSON + 1)
    except OSError as error:
        return _no("unreadable_edits", f"{source} cannot be read: {error.strerror or error}")
    except ValueError as error:
        return _no("unreadable_edits", f"{source!r} is no file name: {error}")
    if len(raw) > MAX_JSON:
        return _no("too_large", f"the edits are longer than {MAX_JSON:,} bytes; split them")
    return raw


def _edits(raw: bytes) -> tuple[Edit, ...] | Rejection:
    try:
        data = from_json(raw)
    except ValueError as error:
        return _no("malformed_edits", f"this is not JSON: {error}")
    if isinstance(data, dict) and "edits" in data:
        data = data["edits"]
    if not isinstance(data, list):
        return _no(
            "malformed_edits",
            "this is no list of edits; give a JSON list, or an object with a list as `edits`",
        )
    try:
        return edits_from(data)
    except MalformedEdits as error:
        return _no("malformed_edits", str(error))


def _files(root: Path, edits: Sequence[Edit]) -> dict[str, str] | Rejection:
    """The texts that the edits can need; only a renaming needs more than the files it names."""
    files: dict[str, str] = {}
    for index, edit in enumerate(edits):
        if path_problem(edit.path) is not None or edit.path in files:
            continue
        problem = _in_the_way(root, edit.path)
        text = problem or (_text(root, edit.path) if (root / edit.path).exists() else None)
        if isinstance(text, tuple):
            return _no(*text, index=index, edit=edit)
        if text is not None:
            files[edit.path] = text
    rename = next(((index, edit) for index, edit in enumerate(edits) if isinstance(edit, RenameSymbol)), None)
    for path in _universe(root) if rename else ():
        text = files.get(path) or _text(root, path)
        if isinstance(text, tuple) and rename:
            rule, message = text
            return _no(
                rule,
                f"{message}; the renaming cannot look for references in it",
                index=rename[0],
                edit=rename[1],
            )
        if isinstance(text, str):
            files[path] = text
    return files


def _in_the_way(root: Path, path: str) -> tuple[str, str] | None:
    """Why a path does not lead to a regular file of the folder, or to a place for one."""
    at, parts = root, path.split("/")
    for number, part in enumerate(parts, 1):
        at /= part
        try:
            mode = at.lstat().st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            return "unreadable_file", f"{path} cannot be reached: {error.strerror or error}"
        shown = "/".join(parts[:number])
        if stat.S_ISLNK(mode):
            return "symlink", f"{shown} is a symbolic link, which edits do not follow; name the file itself"
        if number < len(parts) and not stat.S_ISDIR(mode):
            return "not_a_folder", f"{shown} is a file, so nothing can stand below it"
        if number == len(parts) and not stat.S_ISREG(mode):
            return "not_a_file", f"{shown} is no regular file"
    return None


def _text(root: Path, path: str) -> str | tuple[str, str]:
    try:
        with os.fdopen(os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            raw = stream.read(MAX_FILE + 1)
    except OSError as error:
        return "unreadable_file", f"{path} cannot be read: {error.strerror or error}"
    if len(raw) > MAX_FILE:
        return "too_large", f"{path} is larger than {MAX_FILE:,} bytes; it is too large to be edited"
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        return "not_utf8", f"{path} is not UTF-8 (at byte {error.start:,}); convert it first"


def _universe(root: Path) -> Iterator[str]:
    """Every Python file that a renaming follows references in."""
    live = [root / folder for folder in LIVE if (root / folder).is_dir()]
    for top in live or [root]:
        for folder, inner, names in os.walk(top):
            inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _NOT_OURS)
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(".py") and path.is_file() and not path.is_symlink():
                    yield path.relative_to(root).as_posix()


def _write(root: Path, files: Mapping[str, str]) -> None:
    """Write files so that each is at any time the old or the new one, and all are the old ones after a failure.

    Raises:
        OSError: A write failed; the files are what they were.
    """
    with contextlib.ExitStack() as tidy, contextlib.ExitStack() as undo:
        # Everything that needs room on the disk comes first; what follows only moves names.
        staged = [(root / path, _staged(root / path, text, undo)) for path, text in sorted(files.items())]
        for path, fresh in staged:
            kept = _kept(path, tidy)
            fresh.replace(path)
            undo.callback(kept.replace if kept else Path.unlink, path)
        undo.pop_all()


def _staged(path: Path, text: str, undo: contextlib.ExitStack) -> Path:
    for folder in _missing_folders(path.parent):
        folder.mkdir()
        undo.callback(folder.rmdir)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".new", dir=path.parent)
    fresh = Path(name)
    undo.callback(fresh.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
    fresh.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
    return fresh


def _kept(path: Path, tidy: contextlib.ExitStack) -> Path | None:
    """A second name for the old file, by which it can be put back without room on the disk."""
    if not path.exists():
        return None
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".old", dir=path.parent)
    os.close(descriptor)
    kept = Path(name)
    tidy.callback(kept.unlink, missing_ok=True)
    try:
        kept.unlink()
        kept.hardlink_to(path)
    except OSError:
        # A file system without second names.
        shutil.copy2(path, kept)
    return kept


def _missing_folders(folder: Path) -> Iterable[Path]:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return reversed(missing)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
