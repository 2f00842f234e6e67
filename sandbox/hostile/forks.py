"""Forks, and then starts threads, for as long as it gets any."""

import contextlib
import os
import signal
import threading

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said


def main(facts: Facts) -> Said:
    """Twice as many as allowed would be a hole."""
    return {"forks": _forks(facts), "threads": _threads(facts)}


def _forks(facts: Facts) -> str:
    made: list[int] = []
    met = ""
    while len(made) < 2 * facts.processes and not met:
        try:
            child = os.fork()
        except OSError as error:
            met = f"{len(made)}, then {error.strerror}"
            break
        if child == 0:
            signal.pause()
            os._exit(0)
        made.append(child)
    for child in made:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return f"{HELD}: {met}" if met else f"{THROUGH}: {len(made)}"


def _threads(facts: Facts) -> str:
    over = threading.Event()
    made: list[threading.Thread] = []
    met = ""
    with contextlib.suppress(RuntimeError):
        while len(made) < 2 * facts.processes:
            thread = threading.Thread(target=over.wait)
            thread.start()
            made.append(thread)
    if len(made) < 2 * facts.processes:
        met = f"{len(made)}, then no more"
    over.set()
    for thread in made:
        thread.join()
    return f"{HELD}: {met}" if met else f"{THROUGH}: {len(made)}"
