"""Starts threads for ever, each of which does the same."""

import threading

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """Never returns."""
    _more()
    return {"threads": str(facts.processes)}


def _more() -> None:
    while True:
        try:
            threading.Thread(target=_more).start()
        except (RuntimeError, MemoryError):  # stacks fill the room of a process, and then anything may fail
            continue
