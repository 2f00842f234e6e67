"""What a turn of the assistant costs, against the raw SDK with a loop by hand, pydantic-ai and langgraph.

    PYTHONPATH=. python scripts/benchmarks/agent_turns.py [--rounds 9] [--turns 60] [--conversations 1000]

A turn is two questions to a model with one tool between them, streamed. Every way runs in a process of its own, in an
environment of its own that is made once from pinned lists with hashes, and asks the same stand-in of OpenAI's interfaces on
loopback, whose processor time is not counted. They take turns, a few dozen at a time, and what is compared is the
median of the ratios of each round. The raw loop, pydantic-ai and langgraph ask over Chat Completions; the raw loop
is there once more over Responses, to be compared with Theseus over Responses.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WANTED = 1.3
"""Processor time of a turn, as a multiple of the raw loop's over the same interface, at most."""
CROWD = 100
TURNS_EACH = 2
"""Turns of a conversation where memory is measured."""
FEW = 0.4
"""The share of the conversations after which memory is looked at first: by then nobody has let go of any."""
BASELINE = {"theseus-responses": "raw-responses"}
"""What a way is compared with, where it is not the raw loop over Chat Completions."""
ENVIRONMENTS = {
    "raw": "raw",
    "raw-json": "raw",
    "raw-responses": "raw",
    "pydantic_ai": "pydantic_ai",
    "langgraph": "langgraph",
    "theseus": "",
    "theseus-responses": "",
}
"""Each way's environment; empty: the one that this runs in."""


class NoEnvironment(Exception):
    """An environment could not be made. Its text says where the reason stands."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What some turns came to: seconds of processor time and by the clock, how many were right, KiB of memory grown."""

    cpu: float
    wall: float
    right: int
    kb: int


@dataclass(frozen=True, slots=True)
class Client:
    """A way in its process."""

    name: str
    process: "subprocess.Popen[str]"
    first: Cost
    taken: Iterator[int] = field(default_factory=lambda: iter(range(0, 10**9, 10_000)))

    @classmethod
    def start(cls, name: str, python: str, address: str) -> Self:
        """Start it and let it answer its first turn."""
        process = subprocess.Popen(
            [python, str(HERE / "agent_client.py"), name, address],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return cls(name, process, _read(process))

    def do(self, what: str, **how: int) -> Cost:
        """Have it do something, in conversations that nobody has used yet."""
        if self.process.stdin is None:
            raise OSError("no pipes")
        self.process.stdin.write(f"{json.dumps({'do': what, 'first': next(self.taken), **how})}\n")
        self.process.stdin.flush()
        return _read(self.process)

    def end(self) -> None:
        """Let it end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def _read(process: "subprocess.Popen[str]") -> Cost:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise OSError(f"a way ended by itself, with {process.wait()}")
    return Cost(**json.loads(line))


def environment(name: str) -> str:
    """The interpreter of an environment, which is made where it is not there yet or its list has changed."""
    if not name:
        return sys.executable
    place, pins = ROOT / ".venv" / "bench-agent" / name, HERE / "agent_locks" / f"{name}.lock"
    python, made = place / "bin" / "python", place / "made.lock"
    if not made.exists() or made.read_text() != pins.read_text():
        print(f"making the environment of {name} (once)", file=sys.stderr)
        log = place.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as told:
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(place)],
                [
                    *(str(python), "-m", "pip", "install", "--no-deps", "--require-hashes"),
                    *("--only-binary", ":all:", "--requirement", str(pins)),
                ],
            ):
                if subprocess.run(command, stdout=told, stderr=told, check=False).returncode:
                    raise NoEnvironment(
                        f"the environment of {name} cannot be made; the reason stands in {log}"
                    )
        made.write_text(pins.read_text())
    return str(python)


@contextmanager
def served() -> Iterator[str]:
    """The stand-in in its process; gives its address."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "agent_server.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            yield server.stdout.readline().strip() if server.stdout is not None else ""
        finally:
            server.terminate()


def compare(clients: Sequence[Client], rounds: int, turns: int, conversations: int) -> int:
    """Measure and print everything; how many answers were wrong."""
    for client in clients:
        client.do("turns", number=max(1, turns // 2))  # caches, specialised bytecode
    few = max(1, int(conversations * FEW))
    grown = {
        client.name: [
            client.do("grow", number=number, turns_each=TURNS_EACH) for number in (few, conversations - few)
        ]
        for client in clients
    }
    spent: dict[str, list[Cost]] = {client.name: [] for client in clients}
    for number in range(rounds):
        for client in clients if number % 2 else reversed(clients):
            spent[client.name].append(client.do("turns", number=turns))
    slow = {client.name: client.do("slow") for client in clients}
    crowds = {client.name: client.do("crowd", number=CROWD) for client in clients}
    print(
        f"a turn of two questions and one tool, streamed: {rounds} rounds of {turns} each, medians; {CROWD} conversations"
        f" at once; memory of a conversation of {TURNS_EACH} turns, of the first {few} and of {conversations}"
    )
    print(
        f"{'way':<18} {'processor':>10} {'ratio':>6} {'clock':>9} {'two 1 s tools':>14} {f'{CROWD} at once':>12}"
        f" {'(processor)':>12} {'right':>8} {f'KiB, {few}':>9} {conversations:>6} {'first turn':>11} {'imports':>9}"
    )
    for client in clients:
        name, mine = client.name, spent[client.name]
        cpu, wall = (statistics.median(getattr(cost, of) for cost in mine) / turns for of in ("cpu", "wall"))
        crowd, (first, rest) = crowds[name], grown[name]
        print(
            f"{name:<18} {cpu * 1000:>7.1f} ms {_ratio(spent, name):>6.2f} {wall * 1000:>6.1f} ms"
            f" {slow[name].wall:>12.2f} s {crowd.wall:>10.2f} s {crowd.cpu:>10.2f} s {crowd.right:>4}/{CROWD}"
            f" {first.kb / few:>9.1f} {(first.kb + rest.kb) / conversations:>6.1f}"
            f" {client.first.cpu:>9.2f} s {client.first.kb / 1024:>5.0f} MiB"
        )
    for name in spent:
        if name.startswith("theseus"):
            against = BASELINE.get(name, "raw")
            print(f"ratio agent/{name} {_ratio(spent, name):.2f} of {against} (at most {WANTED} wanted)")
    print(json.dumps({"cpus": os.cpu_count(), "python": sys.version.split()[0]}))
    wanted = rounds * turns + conversations * TURNS_EACH + CROWD + 2
    return sum(
        wanted
        - sum(cost.right for cost in (client.first, *grown[name], *spent[name], slow[name], crowds[name]))
        for name, client in ((client.name, client) for client in clients)
    )


def _ratio(spent: dict[str, list[Cost]], name: str) -> float:
    """A way's processor time as a multiple of what it is compared with, the median over the rounds."""
    against = spent.get(BASELINE.get(name, "raw"), [])
    pairs: list[Any] = [mine.cpu / other.cpu for mine, other in zip(spent[name], against, strict=False)]
    return float(statistics.median(pairs)) if pairs else float("nan")


def main() -> int:
    """Run as asked on the command line; 1 where a way answered wrongly, 2 where an environment cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--ways", nargs="+", choices=list(ENVIRONMENTS), default=list(ENVIRONMENTS))
    parser.add_argument(
        "--here", action="store_true", help="run every way in this environment; for those that it has"
    )
    given = parser.parse_args()
    try:
        with ThreadPoolExecutor() as pool:
            needed = {ENVIRONMENTS[name] if not given.here else "" for name in given.ways}
            pythons = dict(zip(needed, pool.map(environment, needed), strict=True))
    except NoEnvironment as problem:
        print(problem, file=sys.stderr)
        return 2
    with ExitStack() as stack:
        address = stack.enter_context(served())
        clients = []
        for name in given.ways:
            clients.append(Client.start(name, pythons["" if given.here else ENVIRONMENTS[name]], address))
            stack.callback(clients[-1].end)
        return int(compare(clients, given.rounds, given.turns, given.conversations) > 0)


if __name__ == "__main__":
    sys.exit(main())
