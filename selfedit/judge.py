r"""What runs inside the sandbox: unpacks a tree, runs the checks on it, and reports once. Standard library only.

Its source is sent in over stdin, followed by one line of JSON (the job), followed by a tar archive. The
process takes the key of its report from stdin too, and hides its memory from the programs it starts, so
that no code under test can learn the key. The report goes to stdout as one frame:

    THESEUS-REPORT <hmac-sha256> <bytes of JSON> <bytes of attachment>\n<JSON><attachment>

A key that signs, instead of a word that must be repeated, means that reading the report helps nobody forge one.
"""

import contextlib
import ctypes
import hashlib
import hmac
import io
import json
import os
import secrets
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from pathlib import Path
from typing import Any

MARK = b"THESEUS-REPORT"
SCRATCH = Path("/tmp")  # noqa: S108 - the sandbox's own, private and empty
TREE = SCRATCH / "tree"
"""Where the repository's files are, inside."""
KEPT_OUTPUT = 2_000_000
"""Bytes of a program's output that are kept; the rest is read and dropped."""

MOST_TYPES = 40_000_000
"""Bytes of types, packed, that are worth keeping for the next run."""
TYPES_SCHEMA = "CREATE TABLE IF NOT EXISTS files2 (path TEXT UNIQUE NOT NULL, mtime REAL, data BLOB);"
"""As the type checker itself lays out its cache."""

Job = dict[str, Any]
Result = dict[str, Any]


def main() -> int:
    """Do the job on stdin."""
    _hide()
    stdin = sys.stdin.buffer
    if stat.S_ISREG(os.fstat(stdin.fileno()).st_mode):
        return 3  # a file could be read a second time, by somebody else
    job: Job = json.loads(stdin.readline())
    archive = stdin.read()
    key = bytes.fromhex(job.pop("key"))
    attachment = b""
    if job["kind"] == "static":
        result, attachment = _static(job, archive)
    else:
        result = _tests(job, archive)
    _end_strays()
    text = json.dumps(result).encode()
    signature = hmac.new(key, text + attachment, hashlib.sha256).hexdigest().encode()
    frame = b"%s %s %d %d\n" % (MARK, signature, len(text), len(attachment))
    with contextlib.closing(os.fdopen(os.dup(1), "wb")) as stdout:
        stdout.write(frame + text + attachment)
    return 0


def _hide() -> None:
    """Nobody of the same user may look into this process; its orphaned grandchildren become its children."""
    dumpable, child_subreaper = 4, 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(dumpable, 0, 0, 0, 0) or libc.prctl(child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _unpack(archive: bytes, root: Path) -> None:
    """Write the files of an archive. Times are at random, so that no cache takes one content for another."""
    when = 2**30 + secrets.randbelow(2**30)
    made = set()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = root / member.name
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            file = tar.extractfile(member)
            if file is None:
                raise ValueError(member.name)
            path.write_bytes(file.read())
            os.utime(path, (when, when))


# Checks that read code and never run it


def _static(job: Job, archive: bytes) -> tuple[Result, bytes]:
    _unpack(archive, SCRATCH)
    baked, types = Path(job["type_cache"]), SCRATCH / "types"
    if "types" in job["steps"]:
        try:
            _types_in(baked, types)
        except (sqlite3.Error, zlib.error, OSError):
            shutil.rmtree(types, ignore_errors=True)  # it is only about speed
    until = time.monotonic() + job["seconds"]
    running = {name: Program(argv, TREE) for name, argv in job["steps"].items()}
    result = {name: program.result(until) for name, program in running.items()}
    learnt = b""
    if result.get("types", {}).get("exit") == 0:
        with contextlib.suppress(sqlite3.Error, OSError):
            learnt = _types_out(baked, types)
    return {"steps": result}, learnt


def _types_in(baked: Path, types: Path) -> None:
    """Lay out the type checker's cache: what the sandbox brings, and over it what an earlier run learnt."""
    if baked.is_absolute() and baked.is_dir():
        shutil.copytree(baked, types, copy_function=shutil.copyfile)
    kept, rows = SCRATCH / "kept-types", SCRATCH / "kept-types.db"
    if not kept.exists():
        return
    rows.write_bytes(zlib.decompress(kept.read_bytes()))
    with contextlib.closing(sqlite3.connect(rows)) as database:
        shards = [name for (name,) in database.execute("SELECT DISTINCT shard FROM rows")]
    for name in shards:
        (types / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(types / name)) as database:
            database.executescript("PRAGMA synchronous=OFF;" + TYPES_SCHEMA)
            database.execute("ATTACH ? AS kept", (str(rows),))
            database.execute(
                "INSERT OR REPLACE INTO files2(path, mtime, data) SELECT path, mtime, data FROM kept.rows WHERE shard = ?",
                (name,),
            )
            database.commit()


def _types_out(baked: Path, types: Path) -> bytes:
    """What the cache knows now that the sandbox did not bring, for the next run; nothing if that is too much."""
    rows = SCRATCH / "own-types.db"
    with contextlib.closing(sqlite3.connect(rows)) as own:
        own.execute("CREATE TABLE rows(shard TEXT, path TEXT, mtime REAL, data BLOB)")
        own.commit()
    for shard in sorted(types.rglob("*.db")):
        name = str(shard.relative_to(types))
        brought = (baked / name).is_file()
        with contextlib.closing(sqlite3.connect(shard, uri=True)) as database:
            database.execute("ATTACH ? AS own", (str(rows),))
            source = f"file:{baked / name}?immutable=1" if brought else ":memory:"
            database.execute("ATTACH ? AS baked", (source,))
            if not brought:
                database.execute("CREATE TABLE baked.files2(path TEXT, mtime REAL)")
            database.execute(
                "INSERT INTO own.rows SELECT ?, path, mtime, data FROM main.files2 AS fresh WHERE NOT EXISTS "
                "(SELECT 1 FROM baked.files2 AS old WHERE old.path = fresh.path AND old.mtime = fresh.mtime)",
                (name,),
            )
            database.commit()
    data = zlib.compress(rows.read_bytes(), 1)
    return data if len(data) <= MOST_TYPES else b""


# Checks that run code


def _tests(job: Job, archive: bytes) -> Result:
    _unpack(archive, SCRATCH)
    until = time.monotonic() + job["seconds"]
    result: Result = {"tests": _witnessed(job, until)}
    if job["trial"]:
        fresh = SCRATCH / f"trial-{secrets.token_hex(8)}"  # tests may have written into the first tree
        _unpack(archive, fresh)
        root = str(fresh / "tree")
        program = (
            f"import sys\nsys.path.append({root!r})\nfrom bot.trial import main\nsys.exit(main({root!r}))\n"
        )
        trial = Program([sys.executable, "-I", "-B", "-c", program], fresh / "tree")
        result["trial"] = trial.result(max(until, time.monotonic() + min(10.0, job["seconds"])), alone=True)
    return result


def _witnessed(job: Job, until: float) -> list[Result]:
    """Run each share of the tests under a witness, side by side."""
    shares = [Witness(job, arguments) for arguments in job["shares"]]
    # Only when the last has ended is everything else that still runs a stray.
    return [share.result(until, last=share is shares[-1]) for share in shares]


class Witness:
    """A pytest that tells of each test over a pipe, with a test among them that must fail."""

    def __init__(self, job: Job, arguments: list[str]) -> None:
        self._word = "sentinel_" + secrets.token_hex(12)
        folder = SCRATCH / self._word
        folder.mkdir()
        sentinel = folder / f"test_{self._word}.py"
        sentinel.write_text(f"def test_{self._word}() -> None:\n    assert {self._word!r} == ''\n")
        reading, writing = os.pipe()
        wish = {
            "fd": writing,
            "path": job["path"],
            "arguments": [*arguments, *([] if job["collect"] else [str(sentinel)])],
            "wanted": job["wanted"],
        }
        argv = [sys.executable, "-I", "-B", "-c", job["witness"]]
        self._program = Program(argv, TREE, json.dumps(wish).encode() + b"\n", (writing,))
        os.close(writing)
        self._told = Reader(reading, limit=16 * KEPT_OUTPUT)

    def result(self, until: float, *, last: bool) -> Result:
        """Wait for its end; what it told, the sentinel's fate apart."""
        result = self._program.result(until, alone=last)
        self._told.thread.join(5)
        said, garbled = _lines(bytes(self._told.kept))
        own = [line for line in said if self._word not in str(line.get("id", ""))]
        result["told"] = [_without(line, self._word) for line in own]
        result["sentinel"] = [line["outcome"] for line in said if line not in own and "outcome" in line]
        result["garbled"] = garbled or self._told.dropped
        return result


def _without(line: Result, word: str) -> Result:
    if "collected" in line:
        line["collected"] = [name for name in line["collected"] if word not in name]
    return line


def _lines(text: bytes) -> tuple[list[Result], bool]:
    found: list[Result] = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            return found, True
        if not isinstance(value, dict):
            return found, True
        found.append(value)
    return found, False


# Programs


class Reader:
    """Reads a pipe to its end in a thread, and keeps so much of it."""

    def __init__(self, fd: int, limit: int = KEPT_OUTPUT) -> None:
        self.kept = bytearray()
        self.dropped = False
        self.ended: float | None = None
        self._fd = fd
        self._limit = limit
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while data := os.read(self._fd, 65536):
            room = self._limit - len(self.kept)
            self.dropped = self.dropped or len(data) > room
            self.kept += data[:room]
        self.ended = time.monotonic()
        os.close(self._fd)


class Program:
    """A program that was started, in a session of its own."""

    def __init__(self, argv: list[str], cwd: Path, stdin: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        self._started = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._fault = ""
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=out_write,
                stderr=err_write,
                pass_fds=fds,
                start_new_session=True,
            )
        except OSError as error:
            self._fault = f"{argv[0]} cannot be started: {error.strerror}"
        os.close(out_write)
        os.close(err_write)
        self._out, self._err = Reader(out_read), Reader(err_read)
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(stdin)
                self._process.stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def result(self, until: float, *, alone: bool = False) -> Result:
        """Wait for its end, or make one when the time is up; `alone`: nothing else of ours runs meanwhile."""
        timed_out = False
        code: int | None = None
        if self._process is not None:
            try:
                code = self._process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                timed_out = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if alone:
            _end_strays()
        for reader in (self._out, self._err):
            reader.thread.join(1)  # a stray that left the session may still hold the other end
        seconds = (self._out.ended or time.monotonic()) - self._started
        return {
            "exit": code,
            "timed_out": timed_out,
            "seconds": round(seconds, 3),
            "out": bytes(self._out.kept).decode(errors="replace"),
            "err": (self._fault or bytes(self._err.kept[-20_000:]).decode(errors="replace")),
            "dropped": self._out.dropped,
        }


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(SCRATCH),
        "TMPDIR": str(SCRATCH),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "RUFF_NO_CACHE": "true",
        "GIT_PYTHON_REFRESH": "quiet",  # there is no git here, and importing GitPython shall not fail for that
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


def _end_strays() -> None:
    """Whatever was left running is a child of ours by now; end it before the report is written."""
    for _ in range(100):
        strays = _children()
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    me = os.getpid()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == me:
                    found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
