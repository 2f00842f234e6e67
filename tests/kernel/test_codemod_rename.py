"""A renaming takes every reference in live code along, or is refused with the place that it cannot tell."""

import pytest

from selfedit.editing.codemod import Applied, Rejection, apply_edits
from selfedit.editing.edits import edits_from

REPLY = "bot/live/chat/reply.py"
LIVE = {
    "bot/live/chat/__init__.py": 'from .reply import load\nfrom bot.live.chat.reply import Chat\n__all__ = ["load", "Chat"]\n',
    REPLY: '''"""Say load."""
__all__ = ["load"]
LIMIT = 3


def load(size, limit=LIMIT):
    # load more
    def inner(load):
        return load
    return load(size) if size else inner(f"{load}")


def other(a: "load", b: "dict[str, load]"):
    global load
    return [load for load in a] + [load]


class Base:
    def shared(self): ...


class Chat(Base):
    size: int = 3
    load = 1

    def reply(self, load):
        return self.send(load) + self.size + self.load

    def send(self, text):
        return Chat.send, type(self).__name__

    @classmethod
    def make(cls):
        return cls.send, cls(size=1)


class Loud(Chat):
    def send(self, text):
        return super().send(text)
''',
    "bot/live/user.py": """from bot.live.chat import load
from bot.live.chat import reply, Chat as C
import bot.live.chat.reply as rp
import bot.live.chat


def use(chat: C, maybe: "C | None" = None, text: str = ""):
    load(1); reply.load; rp.load; bot.live.chat.load; bot.live.chat.reply.load
    made = C(size=2)
    match made:
        case C(size=3): pass
    return chat.send(1), made.send, C().send, maybe.send, made.size, text.load
""",
    "bot/live/apart.py": "def load(): pass\n\n\ndef size(): return load\n",
}


def renamed(target: str, name: str, path: str = REPLY, **more: str) -> Applied | Rejection:
    """The outcome of a renaming in the live code above."""
    files = LIVE | {f"bot/live/{key}.py": text for key, text in more.items()}
    return apply_edits(
        files, edits_from([{"op": "rename_symbol", "path": path, "target": target, "name": name}])
    )


def changes(outcome: Applied | Rejection) -> list[tuple[str, str]]:
    """The lines that a renaming changed, before and after."""
    assert isinstance(outcome, Applied), outcome
    pairs: list[tuple[str, str]] = []
    for path, text in outcome.files.items():
        pairs += zip(LIVE[path].split("\n"), text.split("\n"), strict=True)
    return [(old.strip(), new.strip()) for old, new in pairs if old != new]


def test_a_function_is_renamed_wherever_it_is_meant() -> None:
    """Definition, calls, imports, re-exports, modules' attributes, `__all__`, f-strings and string annotations follow."""
    assert changes(renamed("load", "fetch")) == [
        ("from .reply import load", "from .reply import fetch"),
        ('__all__ = ["load", "Chat"]', '__all__ = ["fetch", "Chat"]'),
        ('__all__ = ["load"]', '__all__ = ["fetch"]'),
        ("def load(size, limit=LIMIT):", "def fetch(size, limit=LIMIT):"),
        (
            'return load(size) if size else inner(f"{load}")',
            'return fetch(size) if size else inner(f"{fetch}")',
        ),
        ('def other(a: "load", b: "dict[str, load]"):', 'def other(a: "fetch", b: "dict[str, fetch]"):'),
        ("global load", "global fetch"),
        ("return [load for load in a] + [load]", "return [load for load in a] + [fetch]"),
        ("from bot.live.chat import load", "from bot.live.chat import fetch"),
        (
            "load(1); reply.load; rp.load; bot.live.chat.load; bot.live.chat.reply.load",
            "fetch(1); reply.fetch; rp.fetch; bot.live.chat.fetch; bot.live.chat.reply.fetch",
        ),
    ]


def test_words_in_comments_and_strings_are_noted() -> None:
    """What a renaming leaves alone because it is only a word is told to the reviewer."""
    outcome = renamed("load", "fetch")
    assert isinstance(outcome, Applied)
    assert outcome.notes == (f"`load` still stands in comments or strings of {REPLY} (line 1, 7)",)


def test_a_class_is_renamed_wherever_it_is_meant() -> None:
    """Bases, annotations, calls and re-exports follow; an import that says `as` keeps its own name."""
    assert changes(renamed("Chat", "Talk")) == [
        ("from bot.live.chat.reply import Chat", "from bot.live.chat.reply import Talk"),
        ('__all__ = ["load", "Chat"]', '__all__ = ["load", "Talk"]'),
        ("class Chat(Base):", "class Talk(Base):"),
        ("return Chat.send, type(self).__name__", "return Talk.send, type(self).__name__"),
        ("class Loud(Chat):", "class Loud(Talk):"),
        ("from bot.live.chat import reply, Chat as C", "from bot.live.chat import reply, Talk as C"),
    ]


def test_a_method_is_renamed_with_its_overrides() -> None:
    """Calls through self, cls, super, the class, and variables of a known class follow, and so do overrides."""
    assert changes(renamed("Chat.send", "post")) == [
        ("return self.send(load) + self.size + self.load", "return self.post(load) + self.size + self.load"),
        ("def send(self, text):", "def post(self, text):"),
        ("return Chat.send, type(self).__name__", "return Chat.post, type(self).__name__"),
        ("return cls.send, cls(size=1)", "return cls.post, cls(size=1)"),
        ("def send(self, text):", "def post(self, text):"),
        ("return super().send(text)", "return super().post(text)"),
        (
            "return chat.send(1), made.send, C().send, maybe.send, made.size, text.load",
            "return chat.post(1), made.post, C().post, maybe.post, made.size, text.load",
        ),
    ]


def test_a_field_is_renamed_with_its_keywords() -> None:
    """An annotated member changes in constructors and patterns too."""
    assert changes(renamed("Chat.size", "width")) == [
        ("size: int = 3", "width: int = 3"),
        ("return self.send(load) + self.size + self.load", "return self.send(load) + self.width + self.load"),
        ("return cls.send, cls(size=1)", "return cls.send, cls(width=1)"),
        ("made = C(size=2)", "made = C(width=2)"),
        ("case C(size=3): pass", "case C(width=3): pass"),
        (
            "return chat.send(1), made.send, C().send, maybe.send, made.size, text.load",
            "return chat.send(1), made.send, C().send, maybe.send, made.width, text.load",
        ),
    ]


def test_constants_and_inner_functions_are_renamed() -> None:
    """Module constants and functions inside of functions have names of their own."""
    assert changes(renamed("LIMIT", "MOST")) == [
        ("LIMIT = 3", "MOST = 3"),
        ("def load(size, limit=LIMIT):", "def load(size, limit=MOST):"),
    ]
    assert [new for _, new in changes(renamed("load.inner", "deep"))] == [
        "def deep(load):",
        'return load(size) if size else deep(f"{load}")',
    ]


@pytest.mark.parametrize(
    ("target", "name", "rule"),
    [
        ("load", "class", "bad_name"),
        ("load", "1st", "bad_name"),
        ("load", "load", "no_change"),
        ("load", "Chat", "name_taken"),
        ("load", "list", "name_taken"),
        ("load", "inner", "name_taken"),
        ("load", "use", "name_taken"),
        ("Chat.send", "reply", "name_taken"),
        ("Chat.send", "shared", "name_taken"),
        ("Loud.send", "post", "unclear_reference"),
        ("Chat.missing", "x", "unknown_target"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused(target: str, name: str, rule: str) -> None:
    """Keywords, names in use where the symbol is used, and members of a base are refused."""
    outcome = renamed(target, name)
    assert isinstance(outcome, Rejection)
    assert outcome.rule == rule, outcome


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("Chat.send", "def use(x):\n    return x.send\n"),
        ("Chat.send", "def use(x):\n    return getattr(x, 'send')\n"),
        ("Chat.send", "def use(x):\n    return x.made().send\n"),
        ("load", "from .chat.reply import *\nload()\n"),
        ("load", "x = globals()['load']\n"),
        ("load", "patch('bot.live.chat.reply.load')\n"),
        ("load", "load = 'bot.live.chat.reply.load'\n"),
    ],
)
def test_a_reference_that_cannot_be_told_stops_the_renaming(target: str, text: str) -> None:
    """Attributes of unknown objects, look-ups by string and star imports are refused with their place."""
    outcome = renamed(target, "post", extra=text)
    assert isinstance(outcome, Rejection)
    assert outcome.rule == "unclear_reference"
    assert outcome.suggestions[0].startswith("bot/live/extra.py:")


def test_a_file_that_cannot_be_read_stops_the_renaming_only_if_it_has_the_word() -> None:
    """A broken live file matters to a renaming when it spells the name."""
    assert isinstance(renamed("load", "fetch", broken="def (\n"), Applied)
    outcome = renamed("load", "fetch", broken="load(\n")
    assert isinstance(outcome, Rejection)
    assert (outcome.rule, "broken.py" in outcome.message) == ("unparsable_file", True)


def test_a_fixture_is_not_renamed() -> None:
    """Tests ask for a fixture by parameter name, which no scope ties to it."""
    outcome = renamed("world", "w", path="bot/live/extra.py", extra="@fixture\ndef world(): ...\n")
    assert isinstance(outcome, Rejection)
    assert outcome.rule == "unclear_reference"


def test_an_annotation_that_a_field_of_its_name_hides_still_follows() -> None:
    """`date: date` names the module's symbol in its annotation and a field in its target."""
    files = {"a.py": "class date: ...\nclass A:\n    date: date\n"}
    outcome = apply_edits(
        files, edits_from([{"op": "rename_symbol", "path": "a.py", "target": "date", "name": "Day"}])
    )
    assert outcome == Applied({"a.py": "class Day: ...\nclass A:\n    date: Day\n"})
