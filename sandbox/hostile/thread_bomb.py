"""Starts threads for ever, each of which does the same."""

import contextlib
import threading

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """Never returns."""
    _more()
    return {"threads": str(facts.processes)}


def _more() -> None:
    while True:
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=_more).start()
