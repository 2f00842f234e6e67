"""What tries to get round a contract is found out, and each live feature can be spoilt so that one breaks."""

import shutil
import sys
from pathlib import Path

import pytest

from selfedit.gate.contracts import argv, line
from tests.fakes.contracts import HONEST, SUMS, after, judge, rules, run

ROOT = Path(__file__).parents[2]

SPECIAL = """
    class Equal(BASE):
        __hash__ = None
        def __eq__(self, other):
            return True
        def __ne__(self, other):
            return False
        def __bool__(self):
            return True

    def add(one, other):
        return Equal(VALUE)
"""
LIES = {
    "inputs that were seen": "def add(one, other):\n    return {(2, 3): 5, (-1, 1): 0}.get((one, other), 7)\n",
    "an object equal to all": SPECIAL.replace("BASE", "object").replace("VALUE", ""),
    "a number equal to all": SPECIAL.replace("BASE", "int").replace("VALUE", "1"),
    "a text equal to all": SPECIAL.replace("BASE", "str").replace("VALUE", "'1'"),
    "a patched comparison": f"import json\njson.loads = lambda *_: {{'id': 1, 'value': 0}}\n{after('True')}",
    "an exception": "def add(one, other):\n    raise ValueError('no')\n",
    "pytest is loaded": after("'pytest' not in sys.modules", "import sys"),
    "hypothesis is loaded": after("'hypothesis' not in sys.modules", "import sys"),
    "a test is running": after("'PYTEST_CURRENT_TEST' not in os.environ", "import os"),
    "an environment of tests": after(
        "not [n for n in os.environ if 'PYTEST' in n or 'THESEUS' in n]", "import os"
    ),
    "a command line of tests": after(
        "sys.argv[0].endswith('__main__.py') and '-c' not in sys.orig_argv", "import sys"
    ),
    "a command line of judges": after(
        "'contract' not in Path('/proc/self/cmdline').read_text()", "from pathlib import Path"
    ),
    "what is run": after("not hasattr(sys.modules['__main__'], 'main')", "import sys"),
    "the judge is loaded": after("not any(n.startswith('selfedit') for n in sys.modules)", "import sys"),
    "a count": after("next(count) > 200", "import itertools\ncount = itertools.count()"),
    "does not load": "1 / 0\n",
}


@pytest.mark.parametrize("source", LIES.values(), ids=LIES.keys())
def test_a_lie_is_found_out(tmp_path: Path, source: str) -> None:
    """Special cases, lying values, code that looks for tests, and code that counts: the contract does not hold."""
    check = judge(tmp_path, {SUMS: source}, shifts=[0])
    assert rules(check) == {"contract"}


FORGED = b'{"id": 2, "value": 0}\n'
EVERYWHERE = "for fd in range(3, 32):\n    try: os.write(fd, {!r})\n    except OSError: pass\n"
WRONGS = {
    "ends while loading": (f"import os\nos._exit(0)\n{HONEST}", "contract_gone"),
    "exits while loading": (f"raise SystemExit(0)\n{HONEST}", "contract_gone"),
    "ends when asked": ("import os\ndef add(one, other):\n    os._exit(0)\n", "contract_gone"),
    "hangs while loading": (f"while True: pass\n{HONEST}", "contract_timeout"),
    "hangs when asked": ("def add(one, other):\n    while True: pass\n", "contract_timeout"),
    "writes garbage": (f"import os\n{EVERYWHERE.format(b'good morning')}{HONEST}", "contract_garbled"),
    "answers twice": (
        f"import os\n{EVERYWHERE.format(FORGED)}{HONEST}",
        "contract_garbled",
    ),
    "answers with far too much": ("def add(one, other):\n    return 'x' * 5_000_000\n", "contract_garbled"),
    "closes what it finds": (f"import os\nos.closerange(3, 64)\n{HONEST}", "contract_gone"),
    "leaves its place to a child": (f"import os\nif os.fork(): os._exit(0)\n{HONEST}", "contract_gone"),
    "leaves a child": (f"import os, time\nif not os.fork(): time.sleep(600)\n{HONEST}", "contract_garbled"),
    "leaves a grandchild": (
        f"""
import os, time
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    time.sleep(600)
os.wait()
{HONEST}""",
        "contract_garbled",
    ),
    "writes into the tree": (
        f"from pathlib import Path\nPath('tests/contracts/sums.py').write_text('')\n{HONEST}",
        "contract_garbled",
    ),
    "ends the judge": (f"import os\nos.kill(os.getppid(), 9)\n{HONEST}", "no_report"),
    "reports for the judge": (
        """
        import json, os
        print(json.dumps({"contracts": 1, "calls": 9, "shifts": [0], "seed": "", "seconds": 0.1, "findings": []}), flush=True)
        os._exit(0)
        """,
        "contract_gone",
    ),
}


@pytest.mark.parametrize(("source", "rule"), WRONGS.values(), ids=WRONGS.keys())
def test_a_process_that_does_not_play_along_is_a_finding(tmp_path: Path, source: str, rule: str) -> None:
    """Ending, hanging, writing on the line, leaving others behind, touching files: each is found and named."""
    patience = 2 if rule == "contract_timeout" else 30
    check = judge(tmp_path, {SUMS: source}, shifts=[0], call_seconds=patience)
    assert not check.passed
    assert rule in rules(check)


def live_code(to: Path) -> None:
    """Copy what proposals may change, and its contracts: the tree at hand may be written to meanwhile."""
    for folder in ("agent/live", "bot/live", "tests/contracts"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))


def test_the_live_code_of_this_repository_keeps_its_contracts(tmp_path: Path) -> None:
    """What is delivered does what its contracts say, now and in ten years."""
    live_code(tmp_path)
    check = run(argv(sys.executable, str(tmp_path), [str(ROOT)]), line())
    assert (check.passed, check.findings) == (True, ())


ROLL, CHOOSE, CONVERT = (f"bot/live/{name}/feature.py" for name in ("roll", "choose", "convert"))
CHAT, HELP = "bot/live/chat/feature.py", "bot/live/help/feature.py"
SPOILT = {
    "a die that shows nought": (ROLL, "int(random() * sides) + 1", "int(random() * sides)"),
    "dice that are never low": (ROLL, "int(random() * sides) + 1", "int(random() * (sides - 1)) + 2"),
    "a total for one input": (ROLL, "total = total + one", "total = total + one if len(rolled) == 2 else 9"),
    "one die for all": (
        ROLL,
        "rolled.append(int(random() * sides) + 1)",
        "rolled.append(rolled[0] if rolled else int(random() * sides) + 1)",
    ),
    "a favourite option": (CHOOSE, "int(turn.random() * len(given))", "0"),
    "an option lost": (CHOOSE, 'r",|\\||\\bor\\b"', 'r",|\\bor\\b"'),
    "short miles": (CONVERT, "1609.344", "1600.0"),
    "cold": (CONVERT, "9 / 5 + 32", "9 / 5 + 30"),
    "a number unread": (
        CONVERT,
        "if asked is None:",
        'if asked is None and ("²" in turn.text or not float(turn.text)):',
    ),
    "a command kept quiet": (
        HELP,
        "for command in commands:\n        lines",
        "for command in commands[1:]:\n        lines",
    ),
    "words swallowed": (CHAT, '"".join(pieces).strip()', '"".join(pieces).strip()[:20]'),
    "instructions forgotten": (CHAT, 'turn.prompts["chat"] if "chat" in turn.prompts else ""', '""'),
    "no word of the key": (CHAT, "{start} {missing}", "{start}"),
}


@pytest.mark.parametrize(("path", "old", "new"), SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_feature_breaks_a_contract(tmp_path: Path, path: str, old: str, new: str) -> None:
    """Each feature can be spoilt so that a contract no longer holds."""
    live_code(tmp_path)
    text = (tmp_path / path).read_text()
    assert old in text
    (tmp_path / path).write_text(text.replace(old, new))
    check = run(argv(sys.executable, str(tmp_path), [str(ROOT)], shifts=[0]), line())
    assert rules(check) == {"contract"}


REWORDED = [
    (
        ROLL,
        'return f"You rolled {shown} = {_total(rolled, added)}."',
        'return f"🎲 **{_total(rolled, added)}** ({shown})"',
    ),
    (ROLL, 'return f"You rolled {rolled[0]}."', 'return f"🎲 It is a {rolled[0]}!"'),
    (CHOOSE, 'return f"I choose {picked}."', 'return f"Out of {len(given)} things: **{picked}**, clearly."'),
    (
        CONVERT,
        'text = f"{number:.4g}" if abs(number) < 1000 else f"{number:,.1f}"',
        'text = f"{number:,.2f}"',
    ),
    (
        CONVERT,
        "{asked[1]} {asked[2]} = {_shown(result)} {asked[3]}",
        "{_shown(result)} {asked[3]} ({asked[1]} {asked[2]})",
    ),
    (HELP, "- `/{command.usage}` {command.summary}", "• **/{command.usage}**: {command.summary}"),
    (HELP, "There is no command /{name}.", "Sorry, /{name} is unknown."),
    (CHAT, '"I cannot answer that yet:"', '"Not yet, I am afraid:"'),
]


def test_answers_may_be_worded_anew(tmp_path: Path) -> None:
    """A contract promises what is said, not how: bold, emoji, another order and other rounding break none."""
    live_code(tmp_path)
    for path, old, new in REWORDED:
        text = (tmp_path / path).read_text()
        assert old in text
        (tmp_path / path).write_text(text.replace(old, new))
    check = run(argv(sys.executable, str(tmp_path), [str(ROOT)], shifts=[0]), line())
    assert (check.passed, check.findings) == (True, ())
