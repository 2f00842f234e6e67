"""What both sandboxes hold, tried out with programs that try to get out."""

import asyncio
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.types import Command, Limits, Outcome, Sandbox

ROOT = Path(__file__).parents[2]


async def python(
    sandbox: Sandbox, source: str, *, stdin: bytes = b"", limits: Limits | None = None
) -> Outcome:
    """Run a program inside."""
    limits = limits or Limits(seconds=30)
    return await sandbox.run(Command(argv=(sandbox.python, "-I", "-c", source), stdin=stdin, limits=limits))


def alive(marker: str) -> list[str]:
    """Command lines on this machine that hold a marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            found.append(line)
    return found


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    async with asyncio.timeout(120):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def test_input_comes_out_as_it_went_in(sandbox: Sandbox) -> None:
    """Twenty megabytes over stdin come back over stdout unchanged."""
    sent = os.urandom(1024) * 20_480
    limits = Limits(seconds=60, output_bytes=len(sent))
    outcome = await sandbox.run(Command(argv=("cat",), stdin=sent, limits=limits))
    assert outcome.exit_code == 0
    assert outcome.stdout == sent
    assert not outcome.truncated


async def test_unread_input_is_no_deadlock(sandbox: Sandbox) -> None:
    """A program that ends without reading its fifty megabytes of input has simply ended."""
    outcome = await sandbox.run(Command(argv=("true",), stdin=bytes(50_000_000), limits=Limits(seconds=30)))
    assert (outcome.exit_code, outcome.timed_out) == (0, False)


async def test_a_failing_command_is_an_outcome(sandbox: Sandbox) -> None:
    """The exit code and both streams of a failing program come back apart."""
    outcome = await python(sandbox, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (3, b"out\n", b"err\n")


async def test_a_program_that_is_not_there(sandbox: Sandbox) -> None:
    """A command that cannot be started fails like a failing command."""
    outcome = await sandbox.run(Command(argv=("no-such-program",), limits=Limits(seconds=30)))
    assert outcome.exit_code == 127


async def test_the_scratch_folder_starts_empty_and_is_writable(sandbox: Sandbox) -> None:
    """What one run leaves in /tmp, the next does not see."""
    source = "from pathlib import Path; p = Path('left'); print(p.absolute(), p.exists()); p.write_text('x')"
    for _ in range(2):
        assert (await python(sandbox, source)).stdout == b"/tmp/left False\n"


async def test_nothing_of_the_host_is_seen(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the host's environment, its files, the repository, nor an engine's socket is visible inside."""
    canary = secrets.token_hex(16)
    monkeypatch.setenv("THESEUS_CANARY", canary)
    secret = tmp_path / "secret"
    secret.write_text(canary)
    source = f"""
import os, glob, json
paths = {[str(secret), str(ROOT / "pyproject.toml"), str(ROOT / ".git"), "/etc/shadow", "/var/run/docker.sock"]!r}
said = []
for name in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        said.append(open(name, errors="replace").read())
    except OSError:
        pass
readable = []
for path in paths:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).close()
        readable.append(path)
    except OSError:
        pass
print(json.dumps([readable, dict(os.environ), said]))
"""
    outcome = await python(sandbox, source)
    readable, environment, _ = json.loads(outcome.stdout)
    assert readable == []
    assert canary.encode() not in outcome.stdout
    assert not set(environment) & {
        "THESEUS_CANARY",
        "PYTHONPATH",
        "SSH_AUTH_SOCK",
        "OPENAI_API_KEY",
        "DOCKER_HOST",
    }


async def test_a_fork_bomb_is_held_and_the_next_run_works(sandbox: Sandbox) -> None:
    """Forking stops at the bound on processes, a real bomb ends by time-out, and nothing stays behind."""
    limits = Limits(seconds=4, processes=48)
    counting = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except OSError:
    pass
print(made)
"""
    counted = await python(sandbox, counting, limits=limits)
    assert 0 < int(counted.stdout) < 48
    marker = secrets.token_hex(8)
    bomb = await python(
        sandbox,
        f"import os\n'{marker}'\nwhile True:\n  try: os.fork()\n  except OSError: pass",
        limits=limits,
    )
    assert bomb.timed_out
    assert bomb.exit_code is None
    assert alive(marker) == []
    assert (await python(sandbox, "print(1)")).stdout == b"1\n"


async def test_memory_of_the_whole_run_is_bounded(sandbox: Sandbox) -> None:
    """Four processes that together hold more than a run may are stopped, and the outcome says why."""
    source = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        hold = [b"x" * 1_000_000 for _ in range(120)]
        time.sleep(60)
os.wait()
"""
    outcome = await python(sandbox, source, limits=Limits(seconds=30, memory_mb=256))
    assert outcome.out_of_memory


async def test_out_of_memory_in_a_child_is_flagged(docker_sandbox: Sandbox) -> None:
    """A child that is killed for its memory shows, though its parent ends with exit code 0."""
    source = "import os\nif os.fork() == 0:\n  hold = [bytearray(1 << 20) for _ in range(4000)]\nos.wait()\nos._exit(0)"
    outcome = await python(docker_sandbox, source, limits=Limits(seconds=30, memory_mb=128))
    assert (outcome.exit_code, outcome.out_of_memory) == (0, True)


async def test_endless_output_is_bounded(sandbox: Sandbox) -> None:
    """A program that writes for ever is ended; what may be kept is kept, and the outcome says `truncated`."""
    outcome = await sandbox.run(Command(argv=("yes",), limits=Limits(seconds=60, output_bytes=100_000)))
    assert outcome.truncated
    assert not outcome.timed_out
    assert outcome.exit_code is None
    assert outcome.stdout == b"y\n" * 50_000


async def test_long_output_is_cut_and_the_program_goes_on(sandbox: Sandbox) -> None:
    """A program that writes a little too much loses the rest but keeps its exit code."""
    outcome = await python(sandbox, "print('x' * 150_000)", limits=Limits(seconds=30, output_bytes=100_000))
    assert (outcome.exit_code, outcome.truncated, len(outcome.stdout)) == (0, True, 100_000)


async def test_files_are_bounded(sandbox: Sandbox) -> None:
    """A file grows to its bound and /tmp to its own, and no further."""
    source = """
import errno, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = []
for name in "abcdefghij":
    with open(name, "wb", buffering=0) as file:
        size = 0
        try:
            while True:
                size += file.write(bytes(1 << 20))
        except OSError as error:
            written.append((size >> 20, errno.errorcode[error.errno]))
print(written[0], sum(size for size, _ in written), written[-1][1])
"""
    outcome = await python(sandbox, source, limits=Limits(seconds=60, file_mb=8, scratch_mb=32))
    assert outcome.stdout == b"(8, 'EFBIG') 32 ENOSPC\n"


async def test_sleeping_for_ever_ends_by_time_out(sandbox: Sandbox) -> None:
    """A program that does nothing is ended when its time is over."""
    outcome = await sandbox.run(Command(argv=("sleep", "1000"), limits=Limits(seconds=1)))
    assert outcome.timed_out
    assert outcome.exit_code is None


async def test_ignoring_signals_does_not_help(sandbox: Sandbox) -> None:
    """A program that ignores every signal it can is gone after its time, and so are its children."""
    marker = secrets.token_hex(8)
    source = f"""
import os, signal, time
marker = "{marker}"
for number in set(signal.valid_signals()) - {{signal.SIGKILL, signal.SIGSTOP, 32, 33}}:
    signal.signal(number, signal.SIG_IGN)
os.fork()
os.setsid() if os.fork() == 0 else None
while True:
    time.sleep(60)
"""
    outcome = await python(sandbox, source, limits=Limits(seconds=2))
    assert outcome.timed_out
    assert alive(marker) == []


async def test_a_daemon_does_not_outlive_its_run(sandbox: Sandbox) -> None:
    """A process that has left its parent, its session and its streams ends with the run."""
    marker = secrets.token_hex(8)
    source = f"""
import os, time
marker = "{marker}"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 100)
        time.sleep(1000)
    os._exit(0)
os.wait()
print("left")
"""
    outcome = await python(sandbox, source)
    assert outcome.stdout == b"left\n"
    assert alive(marker) == []


async def test_dangerous_system_calls_are_refused(sandbox: Sandbox) -> None:
    """The allow-list refuses what opens the kernel's attack surface, other families of sockets included."""
    if not any(found.held for found in sandbox.info.protections if "system calls" in found.name):
        pytest.skip("libseccomp is not installed")
    source = """
import ctypes, errno, json, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": {"ptrace": 101, "unshare": 272, "bpf": 321, "keyctl": 250, "memfd_create": 319, "mount": 165,
    "userfaultfd": 323, "perf_event_open": 298, "pidfd_open": 434, "personality": 135, "setns": 308, "chroot": 161},
    "aarch64": {"ptrace": 117, "unshare": 97, "bpf": 280, "keyctl": 219, "memfd_create": 279, "mount": 40,
    "userfaultfd": 282, "perf_event_open": 241, "pidfd_open": 434, "personality": 92, "setns": 268, "chroot": 51}}
calls = {**number[platform.machine()], "io_uring_setup": 425, "clone3": 435}
said = {}
for name, call in calls.items():
    ctypes.set_errno(0)
    done = libc.syscall(call, 0x10000000, 0, 0, 0, 0)
    said[name] = errno.errorcode.get(ctypes.get_errno(), "allowed") if done < 0 else "allowed"
for name, family in {"vsock": 40, "netlink": 16, "packet": 17, "alg": 38}.items():
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
        said[name] = "allowed"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
print(json.dumps(said))
"""
    said = json.loads((await python(sandbox, source)).stdout)
    assert said.pop("clone3") == "ENOSYS"
    assert set(said.values()) == {"EPERM"}, said


async def test_the_tools_of_the_gate_work_inside(sandbox: Sandbox) -> None:
    """Ruff, mypy and an asyncio test with TCP, Unix sockets, threads and a subprocess run inside."""
    source = """
import shutil, subprocess, sys
from pathlib import Path
Path("module.py").write_text('def twice(number: int) -> int:\\n    return number * 2\\n')
Path("test_it.py").write_text('''
import asyncio
async def test_it():
    for make, join in (
        (lambda hello: asyncio.start_server(hello, "127.0.0.1", 0), lambda s: asyncio.open_connection(*s.sockets[0].getsockname())),
        (lambda hello: asyncio.start_unix_server(hello, "/tmp/s"), lambda s: asyncio.open_unix_connection("/tmp/s")),
    ):
        async with await make(lambda reader, writer: writer.close()) as server:
            reader, writer = await join(server)
            assert await reader.read() == b""
            writer.close()
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
    assert await asyncio.to_thread(len, "abc") == 3
''')
shutil.copytree(sys.argv[1], "cache") if sys.argv[1] else None
for tool in ("ruff check --isolated --no-cache module.py", "ruff format --isolated --no-cache --check module.py",
             "mypy --strict --cache-dir cache module.py",
             "pytest -q -p no:cacheprovider -o asyncio_mode=auto test_it.py"):
    done = subprocess.run([sys.executable, "-m", *tool.split()], capture_output=True, text=True)
    print(tool.split()[0], done.returncode, (done.stdout + done.stderr) if done.returncode else "")
"""
    command = (sandbox.python, "-I", "-c", source, sandbox.type_cache)
    outcome = await sandbox.run(Command(argv=command, limits=Limits(seconds=120, scratch_mb=512)))
    assert outcome.stdout == b"ruff 0 \nruff 0 \nmypy 0 \npytest 0 \n", outcome.stdout.decode()


async def test_the_type_cache_spares_reading_packages(sandbox: Sandbox) -> None:
    """Mypy judges a module with a copy of the cache and does not parse the package it imports again."""
    source = """
import shutil, subprocess, sys
from pathlib import Path
shutil.copytree(sys.argv[1], "cache")
Path("module.py").write_text("import pydantic\\n\\nclass Value(pydantic.BaseModel):\\n    number: int\\n")
Path("pyproject.toml").write_text(sys.stdin.read())
done = subprocess.run([sys.executable, "-m", "mypy", "-v", "--cache-dir", "cache", "module.py"], capture_output=True, text=True)
print(done.returncode, [line for line in done.stderr.splitlines() if line.startswith("LOG:  Parsing")])
"""
    command = Command(
        argv=(sandbox.python, "-I", "-c", source, sandbox.type_cache),
        stdin=(ROOT / "pyproject.toml").read_bytes(),
        limits=Limits(seconds=120, scratch_mb=512),
    )
    outcome = await sandbox.run(command)
    assert outcome.stdout == b"0 ['LOG:  Parsing module.py (module)']\n", outcome.stderr.decode()[-2000:]


async def test_cancelling_leaves_nothing_behind(sandbox: Sandbox) -> None:
    """A run that is cancelled in its midst is over at once, with all its processes."""
    marker = secrets.token_hex(8)
    running = asyncio.create_task(python(sandbox, f"'{marker}'\nimport time\ntime.sleep(1000)"))
    await until(lambda: any(line.startswith(sandbox.python) for line in alive(marker)))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert alive(marker) == []


@pytest.mark.parametrize("seconds", [0, 0.0005, 0.001, 0.003, 0.01, 0.05])
async def test_what_is_given_up_at_once_ends_at_once(sandbox: Sandbox, seconds: float) -> None:
    """However early a run is given up, nothing of it goes on, nor does anybody wait for the time that it had."""
    marker = secrets.token_hex(8)
    running = asyncio.create_task(python(sandbox, f"'{marker}'\nimport time\ntime.sleep(1000)"))
    await asyncio.sleep(seconds)
    running.cancel()
    async with asyncio.timeout(45):  # far below the run's own time
        with pytest.raises(asyncio.CancelledError):
            await running
    assert alive(marker) == []


async def test_runs_stand_side_by_side(sandbox: Sandbox) -> None:
    """Runs at the same time do not see each other's scratch folder or output."""
    source = "import os, sys; open('mine', 'x').close(); print(sys.stdin.read(), os.listdir('.'))"
    outcomes = await asyncio.gather(
        *(python(sandbox, source, stdin=str(number).encode()) for number in range(4))
    )
    assert [outcome.stdout.decode().split()[0] for outcome in outcomes] == ["0", "1", "2", "3"]
