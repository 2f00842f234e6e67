"""Whole definitions: replace, add, delete; everything around them stays byte for byte."""

import pytest

from tests.fakes.edited import edited, refused

CHAT = '''"""Chat."""

import os

MAX = 3
"""Most messages."""


# why greet
@first
# between
@second(1)
def greet(name):  # old
    return name
    # at the end


class Chat:
    """Talks."""

    def reply(self, text):
        return text

    @property
    def mood(self): return self._mood

    @mood.setter
    def mood(self, value): self._mood = value


if __name__ == "__main__":
    greet("me")
'''


def test_a_function_is_replaced_and_all_else_stays() -> None:
    """The lines before and after a replaced function are the same bytes."""
    new = edited(CHAT, "replace_function", target="Chat.reply", source="def reply(self):\n    return 'new'\n")
    old = "    def reply(self, text):\n        return text\n"
    assert new == CHAT.replace(old, "    def reply(self):\n        return 'new'\n")


def test_decorators_go_with_the_definition_and_comments_outside_stay() -> None:
    """A source without decorators takes them away; the comments above and at the end of the block stay."""
    new = edited(CHAT, "replace_function", target="greet", source="def greet():\n    return 1")
    assert "# why greet\ndef greet():\n    return 1\n    # at the end\n\n\nclass" in new
    assert "@" not in new[: new.index("class Chat")]


def test_a_source_with_its_own_comments_replaces_the_old_ones() -> None:
    """Comment lines that a source brings stand in place of the definition's own."""
    new = edited(
        CHAT, "replace_function", target="greet", source="# because\ndef greet():\n    return 1\n    # end\n"
    )
    assert '"""Most messages."""\n\n\n# because\ndef greet():\n    return 1\n    # end\n\n\nclass' in new


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_source_takes_the_newlines_of_its_place(newline: str) -> None:
    """A file has after an edit the kind of newline that it had before."""
    new = edited(
        CHAT.replace("\n", newline), "replace_function", target="greet", source="def greet():\n    return 1\n"
    )
    assert "\n" not in new.replace(newline, "")
    assert f"def greet():{newline}    return 1{newline}" in new


@pytest.mark.parametrize(
    "frame",
    [
        "\ufeff{}x = 1\n",
        "{}",
        "# -*- coding: utf-8 -*-\n{}",
        "x = 1\n\f\n{}\f\ny = 2\n",
        "if x:\n    y = [\n1]\n\n{}\n\n\n",
    ],
    ids=["byte order mark", "nothing else", "coding line", "form feeds", "odd layout"],
)
def test_what_frames_a_definition_is_untouched(frame: str) -> None:
    """Marks, form feeds, coding lines and odd white space outside of the definition survive."""
    old, new = "def f(): return 1\n", "def f():\n    return 2\n"
    assert edited(frame.format(old), "replace_function", target="f", source=new) == frame.format(new)


def test_a_file_without_newline_at_its_end_stays_without() -> None:
    """Replacing the last definition does not add a newline at the end of the file."""
    assert (
        edited("def f(): return 1", "replace_function", target="f", source="def f():\n    pass\n")
        == "def f():\n    pass"
    )


def test_source_moves_and_the_value_of_strings_does_not() -> None:
    """Code, comments and docstrings are indented to their place; the lines of any other string stay."""
    source = 'def reply(self):\n    """Say.\n\n    More.\n    """\n    # note\n    return """\n kept\n"""\n'
    new = edited(CHAT, "replace_function", target="Chat.reply", source=source)
    moved = '    def reply(self):\n        """Say.\n\n        More.\n        """\n        # note\n        return """\n kept\n"""\n'
    assert moved in new


def test_source_may_stand_at_any_indentation() -> None:
    """The same source at column 0, at its place and deeper gives the same file."""
    lines = ["def reply(self):", "    if self:", "        return (1,", "            2)"]
    outcomes = {
        edited(
            CHAT, "replace_function", target="Chat.reply", source="\n".join(indent + line for line in lines)
        )
        for indent in ("", "    ", "            ", "\t")
    }
    assert len(outcomes) == 1


def test_a_first_line_that_lost_its_indentation_gets_it_back() -> None:
    """What `ast.get_source_segment` gives for a method goes back to its place."""
    source = "def reply(self, text):\n        return text * 2"
    new = edited(CHAT, "replace_function", target="Chat.reply", source=source)
    assert "\n    def reply(self, text):\n        return text * 2\n\n    @property" in new


def test_one_of_several_definitions_is_named_by_its_position() -> None:
    """`mood#2` is the second definition of `mood`, and `mood` alone is refused with both named."""
    new = edited(
        CHAT, "replace_function", target="Chat.mood#2", source="@mood.setter\ndef mood(self, v): pass"
    )
    assert "def mood(self): return self._mood\n\n    @mood.setter\n    def mood(self, v): pass\n" in new
    no = refused(CHAT, "replace_function", target="Chat.mood", source="def mood(self): pass")
    assert (no.rule, no.suggestions) == ("ambiguous_target", ("Chat.mood#1", "Chat.mood#2"))


def test_conditional_and_nested_definitions_are_found() -> None:
    """Definitions inside of `if`, `try`, `with` and functions can be named."""
    text = "try:\n    def a(): 1\nexcept E:\n    def a(): 2\nwith x:\n    def o():\n        def i(): 3\n        return i\n"
    assert "    def a(): 9\nwith" in edited(text, "replace_function", target="a#2", source="def a(): 9")
    for name in ("o.i", "o.<locals>.i"):
        assert "        def i(): 9\n        return i" in edited(
            text, "replace_function", target=name, source="def i(): 9"
        )


def test_what_looks_like_the_target_inside_of_a_string_is_not_it() -> None:
    """A definition quoted in a docstring above the real one is left alone."""
    text = '"""Example:\n\ndef f():\n    pass\n"""\n\n\ndef f():\n    return 1\n'
    assert edited(text, "replace_function", target="f", source="def f(): return 2") == text.replace(
        "def f():\n    return 1", "def f(): return 2"
    )


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"target": "Chat.replay", "source": "def replay(self): pass"}, "unknown_target"),
        ({"target": "Chat", "source": "def Chat(): pass"}, "wrong_kind"),
        ({"target": "greet", "source": "def other(): pass"}, "wrong_name"),
        ({"target": "greet", "source": "import os\ndef greet(): pass"}, "not_one_definition"),
        ({"target": "greet", "source": "def greet(:"}, "unparsable_source"),
        ({"target": "greet", "source": "def greet(): '\0'"}, "unparsable_source"),
        ({"target": "greet", "source": "    def greet(): pass\nelse:\n    x"}, "unparsable_source"),
        ({"target": "greet", "source": f"def greet(): return {'-' * 5000}1"}, "too_deep"),
        ({"target": "greet#2", "source": "def greet(): pass"}, "unknown_target"),
    ],
)
def test_a_replacement_that_does_not_fit_is_refused(fields: dict[str, str], rule: str) -> None:
    """Each way in which a replacement can be wrong has its own rule."""
    assert refused(CHAT, "replace_function", **fields).rule == rule


def test_an_unknown_target_is_answered_with_what_is_there() -> None:
    """A rejection names near targets and lists what the class has."""
    no = refused(CHAT, "replace_function", target="Chat.replay", source="def replay(self): pass")
    assert no.suggestions[0] == "Chat.reply"
    assert "`Chat` has `Chat.reply`" in no.message


def test_a_function_goes_to_the_end_of_its_class_or_module() -> None:
    """Without `after`, a method ends its class, and a function stands before the `__main__` block."""
    method = edited(CHAT, "add_function", into="Chat", source="def leave(self):\n    pass")
    assert "self._mood = value\n\n    def leave(self):\n        pass\n\n\nif __name__" in method
    function = edited(CHAT, "add_function", source="def leave():\n    pass")
    assert "self._mood = value\n\n\ndef leave():\n    pass\n\n\nif __name__" in function


def test_a_definition_follows_the_name_it_is_put_after() -> None:
    """`after` may name a constant (with the string that describes it), a function or a method."""
    assert '"""Most messages."""\n\n\nclass New: ...\n\n\n# why greet' in edited(
        CHAT, "add_class", source="class New: ...", after="MAX"
    )
    assert "    # at the end\n\n\ndef new(): ...\n\n\nclass Chat" in edited(
        CHAT, "add_function", source="def new(): ...", after="greet"
    )
    new = edited(CHAT, "add_function", source="def new(self): ...", into="Chat", after="reply")
    assert "        return text\n\n    def new(self): ...\n\n    @property" in new


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("class A: pass  # empty\n", "class A:  # empty\n    def f(self): pass\n"),
        ("class A:\n    pass\n", "class A:\n    def f(self): pass\n"),
        ('class A:\n  """D."""\n  ...\nx = 1\n', 'class A:\n  """D."""\n\n  def f(self): pass\nx = 1\n'),
        ("class A: x = 1\n", "class A:\n    x = 1\n\n    def f(self): pass\n"),
    ],
)
def test_an_empty_class_takes_its_first_method(text: str, wanted: str) -> None:
    """The filler of a class without a body gives way to the method."""
    assert edited(text, "add_function", into="A", source="def f(self): pass") == wanted


def test_a_name_is_not_defined_twice() -> None:
    """Adding what exists is refused, except for setters and overloads, which are made to stand together."""
    assert refused(CHAT, "add_function", source="def greet(): pass").rule == "exists"
    assert refused(CHAT, "add_function", into="Chat", source="def reply(self): pass").rule == "exists"
    setter = "@mood.deleter\ndef mood(self): pass"
    assert "@mood.deleter" in edited(CHAT, "add_function", into="Chat", after="mood", source=setter)


def test_a_deleted_definition_takes_its_comments_and_one_gap_along() -> None:
    """Nothing of a deleted function is left, and the blank lines around it are those of its neighbours."""
    new = edited(CHAT, "delete_symbol", target="greet")
    assert new == CHAT[: CHAT.index("\n\n# why greet")] + CHAT[CHAT.index("\n\nclass Chat") :]


def test_a_deleted_constant_takes_its_describing_string_along() -> None:
    """The bare string below a constant goes with it."""
    assert "import os\n\n\n# why greet" in edited(CHAT, "delete_symbol", target="MAX")


@pytest.mark.parametrize(
    ("text", "target", "wanted"),
    [
        ("class A:\n    def f(self): pass\n", "A.f", "class A:\n    pass\n"),
        ("x = 1; y = 2\n", "x", "y = 2\n"),
        ("x = 1; y = 2\n", "y", "x = 1\n"),
        ("class A: x = 1\n", "A.x", "class A: pass\n"),
        ("def f(): pass", "f", ""),
        ("# limits\nA = 1\nB = 2\n", "A", "# limits\nB = 2\n"),
        ("if x:\n    def f(): 1\nelse:\n    def f(): 2\n", "f#2", "if x:\n    def f(): 1\nelse:\n    pass\n"),
    ],
)
def test_what_is_left_after_deleting_is_whole(text: str, target: str, wanted: str) -> None:
    """Blocks that get empty are filled, and lines that are shared keep their other statements."""
    assert edited(text, "delete_symbol", target=target) == wanted


def test_a_name_that_is_assigned_with_others_is_not_deleted() -> None:
    """Unpacking and chains are refused with what they assign."""
    assert refused("a, b = 1, 2\n", "delete_symbol", target="a").rule == "not_a_constant"
    assert refused("a = b = 1\n", "delete_symbol", target="b").rule == "not_a_constant"


def test_a_class_is_replaced_whole() -> None:
    """A class with its decorators and body gives way to another one of its name."""
    new = edited(CHAT, "replace_class", target="Chat", source="@final\nclass Chat:\n  x = 1\n")
    assert (
        new
        == CHAT[: CHAT.index("class Chat")]
        + "@final\nclass Chat:\n  x = 1\n"
        + CHAT[CHAT.index("\n\nif __name__") :]
    )
