"""What is set aside for a question outlives the process, so that a killed one costs what it was reckoned with."""

import subprocess
import sys
import time
from pathlib import Path

from agent.records.accounts import Accounts
from agent.records.turns import Turns
from policies.limits import DAY, Spent, day_of
from policies.load import load_rules

NOON = (day_of(time.time()) - 1) * DAY + DAY / 2
"""Of yesterday: what is older than some months is not kept."""
WHO = ("discord:7", "discord:1/2")
KILLED = """
import os, signal, sys
from pathlib import Path
from agent.records.accounts import Accounts
from agent.records.turns import Turns
from policies.limits import Spent
from policies.load import load_rules

accounts = Accounts(load_rules(), Turns(Path(sys.argv[1])), lambda: float(sys.argv[2]))
purse = accounts.purse("discord:7", "discord:1/2")
accounts.reserve(purse, Spent(300, 0.125))
accounts.settle(purse, Spent(300, 0.125), Spent(100, 0.0625))
accounts.reserve(purse, Spent(500, 0.25))
os.kill(os.getpid(), signal.SIGKILL)
"""


def spent(path: Path, now: float = NOON) -> dict[str, Spent]:
    turns = Turns(path)
    accounts = Accounts(load_rules(), turns, lambda: now)
    today = {name: each for name, each, _ in accounts.today(accounts.purse(*WHO))}
    turns.close()
    return today


def test_a_question_that_was_killed_is_charged_as_reckoned(tmp_path: Path) -> None:
    """After kill -9 in mid-question the next start books what was set aside, once, on its day, in every budget."""
    path = tmp_path / "turns.sqlite3"
    done = subprocess.run([sys.executable, "-c", KILLED, path, str(NOON)], check=False)
    assert done.returncode == -9
    charged = dict.fromkeys(("you", "this place", "this server", "all of us together"), Spent(600, 0.3125))
    assert spent(path, NOON + DAY) == dict.fromkeys(charged, Spent())
    assert spent(path) == charged
    assert spent(path) == charged


def test_what_was_given_back_is_not_charged(tmp_path: Path) -> None:
    """Two questions at once that are both settled leave nothing behind but what they came to."""
    path = tmp_path / "turns.sqlite3"
    turns = Turns(path)
    accounts = Accounts(load_rules(), turns, lambda: NOON)
    purse = accounts.purse(*WHO)
    for wanted in (Spent(500, 0.25), Spent(700, 0.5)):
        assert accounts.reserve(purse, wanted) is None
    accounts.settle(purse, Spent(700, 0.5), Spent())
    accounts.settle(purse, Spent(500, 0.25), Spent(10, 0.125))
    turns.close()
    assert set(spent(path).values()) == {Spent(10, 0.125)}
