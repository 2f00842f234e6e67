"""What may leave: an answer is looked through while it streams, in one place, whoever wrote it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.chat.moderation import UNSAFE
from agent.guardrails.redaction import HIDDEN, storable
from agent.guardrails.screen import LONGEST_WORD, QUOTED, Screen
from agent.models.single import OneModel
from agent.providers.scripted import ScriptedModel
from agent.records.turns import Turns
from agent.types import Image, Message, ToolCall
from tests.agent.screened import MODERATED, PROMPT, RULES, said
from tests.fakes.scripted import Turn

OWN = "hunter2-our-own-key"
KEY = "sk-ant-api03-" + "a1" * 24
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\nx-y\n-----END RSA PRIVATE KEY-----"
SPELLED_OUT = (
    f"-----BEGIN PRIVATE KEY-----\\n{'MIIEvQ+/' * 40}\\n{'q' * 500}==\\n-----END PRIVATE KEY-----\\n"
)
"""As it stands in the JSON of a service account: in one line, its breaks in two signs."""
PGP_KEY = (
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nComment: made by somebody for a test\n\nlQOYBF\n=aB1d\n"
    "-----END PGP PRIVATE KEY BLOCK-----"
)
HIDDEN_SIGNS = "\u034f\u17b4\u17b5\u180b\u2800\ufe00\ufe0e"
UMLAUTS = " ".join(f"\u00e4pfel{number} \u00fcber \u00f6l{number}" for number in range(20))


def passed(text: str, seed: int = 0, words: int = 12) -> str:
    """A text that came in pieces, as people see it."""
    chance = random.Random(seed)  # noqa: S311 - where pieces end
    screen = Screen([OWN], PROMPT, words)
    shown, at = [], 0
    while at < len(text):
        size = chance.randint(1, 9)
        shown.append(screen.feed(text[at : at + size]))
        at += size
    return "".join([*shown, screen.end()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"it is {KEY}.", f"it is {HIDDEN}."),
        (f"look: `{OWN}`", f"look: `{HIDDEN}`"),
        (f"a {PRIVATE_KEY} b", f"a {HIDDEN} b"),
        ("-----BEGIN PRIVATE KEY-----\nMIIabc", HIDDEN),
        (f"{'x' * (LONGEST_WORD + 500)}/{KEY}", f"{'x' * (LONGEST_WORD + 500)}/{HIDDEN}"),
        ("hey @everyone, <@&12> and <@!34>", "hey everyone, (a role) and (somebody)"),
        ("ab\u200bc\u202edef\U000e0041\u2066", "abcdef"),
        (f"{KEY[:20]}\u200b{KEY[20:]}", HIDDEN),
        ("@every\u200bone", "everyone"),
        (f"Gladly: {PROMPT} Anything else?", f"Gladly: {QUOTED}. Anything else?"),
        (PROMPT.upper().replace(" ", "\n> "), f"{QUOTED}."),
        (f"\u5bc6\u94a5\u662f{KEY}\u3002", f"\u5bc6\u94a5\u662f{HIDDEN}\u3002"),
        (f"\u00fc{KEY}\u00fc", f"\u00fc{HIDDEN}\u00fc"),
        (f'{{"key": "a\\n{KEY}"}}', f'{{"key": "a\\n{HIDDEN}"}}'),
        (f'{{"private_key": "{SPELLED_OUT}", "id": 7}}', f'{{"private_key": "{HIDDEN}\\n", "id": 7}}'),
        (f"{SPELLED_OUT} and {SPELLED_OUT}", f"{HIDDEN}\\n and {HIDDEN}\\n"),
        (f"A key: {PGP_KEY}\nThat is all.", f"A key: {HIDDEN}\nThat is all."),
        (
            "It begins with `-----BEGIN PRIVATE KEY-----`; what follows is a key.",
            f"It begins with `{HIDDEN} what follows is a key.",
        ),
        ("-----BEGIN PRIVATE KEY-----\u662f\u5bc6\u94a5", f"{HIDDEN}\u662f\u5bc6\u94a5"),
        (f"a{HIDDEN_SIGNS}b", "ab"),
    ],
)
def test_what_may_not_leave_does_not(text: str, shown: str) -> None:
    """Keys, private keys, mentions, hidden signs and long quotations of the instructions are gone, wherever pieces end."""
    assert {passed(text, seed) for seed in range(20)} == {shown}


@pytest.mark.parametrize(
    "text",
    [
        "Say so when you do not know something: a short answer is kind.",
        "Write to ann@here.org, or see https://a.example/@ann?x=1",
        "日本語のテキスト。 👨\u200d👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 ❤\ufe0f",
        "def f(x):\n    return 'sk-' + x  # \tnothing",
        "You are Theseus? You are Theseus, a helpful member. You are.",
        "",
        "   \n\n ",
    ],
)
def test_what_may_leave_is_not_touched(text: str) -> None:
    """Ordinary words, code, addresses, other scripts and joined emoji come out as they came in, wherever pieces end."""
    assert {passed(text, seed) for seed in range(20)} == {text}


@given(st.lists(st.sampled_from([*PROMPT.split(), "zebra", "\n", "```", "-----BEGIN", "<@", "x" * 50])))
def test_nothing_is_lost_or_doubled(words: list[str]) -> None:
    """Whatever is said, in which pieces ever, comes out whole where nothing is taken out of it."""
    text = " ".join(words)
    whole = passed(text)
    assert {passed(text, seed) for seed in range(3)} == {whole}
    assert whole == text or QUOTED in whole


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            [
                KEY,
                SPELLED_OUT,
                PRIVATE_KEY,
                PGP_KEY,
                OWN,
                "\u5bc6\u94a5",
                "\u00fc",
                " ",
                "\n",
                "\\n",
                '"',
                " ok ",
                "@here ",
                "-",
            ]
        )
    )
)
def test_pieces_make_no_difference(parts: list[str]) -> None:
    """Keys of every kind, glued to each other, to other scripts and to JSON, come out alike in one piece and in many."""
    text = "".join(parts)
    screen = Screen([OWN], PROMPT, 12)
    whole = screen.feed(text) + screen.end()
    assert {passed(text, seed) for seed in range(3)} == {whole}
    for secret in (KEY[-20:], "MIIEvQ", "MIIabc", "lQOYBF", OWN):
        assert secret not in whole


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_quotation_in_another_script_is_one(size: int) -> None:
    """Words with letters beyond ASCII are whole words of a quotation, wherever pieces end; a part of one is no word."""
    text = f"Hier: {UMLAUTS}. Ende, {UMLAUTS.split()[0]}s und sehr{UMLAUTS[7] * 90}viel."
    screen = Screen([], UMLAUTS, 12)
    pieces = [screen.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*pieces, screen.end()]) == text.replace(UMLAUTS, QUOTED)
    first, rest = UMLAUTS.split(" ", 1)
    text = f"{UMLAUTS[7] * 90}{UMLAUTS}"
    screen = Screen([], UMLAUTS, 12)
    pieces = [screen.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*pieces, screen.end()]) == text.replace(f"{first} {rest}", f"{first} {QUOTED}")


def test_an_answer_is_not_held_back_for_long() -> None:
    """What is shown lags behind by the last word, and by fewer words of the instructions than would be left out."""
    screen = Screen([OWN], PROMPT, 12)
    assert screen.feed("Good morning, dear peo") == "Good morning, dear "
    assert screen.feed("ple! ") == "people! "
    shown = "".join(screen.feed(f"{word} ") for word in PROMPT.split()[:9])
    assert shown == ""
    assert screen.feed("zebra ").startswith("You are Theseus")


def test_a_row_of_signs_ends_a_quotation() -> None:
    """A word of the instructions with much behind it that is no word is not held until the end."""
    screen = Screen([OWN], PROMPT, 12)
    assert screen.feed("You ") == ""
    assert screen.feed("- " * 200).startswith("You - ")


def test_what_was_taken_out_is_told_by_its_kind() -> None:
    """The audit hears what it was, never the thing itself."""
    screen = Screen([OWN], PROMPT, 12)
    screen.feed(f"{KEY} {OWN} \u202e {PROMPT}")
    screen.end()
    assert set(screen.found) == {
        "an Anthropic key",
        "a key of this bot",
        "hidden characters",
        "its own instructions",
    }


def test_what_is_written_down_holds_no_key_and_no_picture() -> None:
    """Questions, results and calls are kept without keys, nothing of what a model said itself, and no picture."""
    call = ToolCall(id="1", name="x", arguments=f'{{"key": "{KEY}"}}')
    kept = storable(Message(role="assistant", text="word", calls=(call,), native="thinks of it"), [OWN])
    assert (kept.text, kept.native) == ("", "")
    assert [each.arguments for each in kept.calls] == [f'{{"key": "{HIDDEN}"}}']
    result = storable(Message(role="tool", text=f"it is {OWN} or {KEY}", call_id="1"), [OWN])
    assert result.text == f"it is {HIDDEN} or {HIDDEN}"
    seen = Message(role="user", text="look", images=(Image(kind="image/png", data=b"x"),))
    assert storable(seen, [OWN]) == Message(role="user", text="look")


async def test_history_shows_nothing_that_was_taken_out(turns: Turns) -> None:
    """What people were not to see of an answer is in no file and in no history, nor is a key that somebody pasted."""
    model = ScriptedModel(Turn(text="I threaten https://a.example/x"), Turn(text='{"unsafe": true}'))
    brain = Brain(OneModel(model), MODERATED, turns=turns, hidden=[OWN])
    assert await said(brain, f"is {KEY} good, or {OWN}?") == [UNSAFE]
    shown = await brain.inform("history", "", Toolbox(), "discord:7", "here")
    everything = f"{shown} {turns.newest('here', 5, parts=True)}"
    assert UNSAFE[:40] in shown
    for word in ("threaten", "a.example", KEY, OWN):
        assert word not in everything


async def test_an_answer_goes_out_without_a_key_and_the_audit_says_so(turns: Turns) -> None:
    """People, the memory and the file of what was said are spared the key; the audit tells of it without it."""
    model = ScriptedModel(Turn(text=f"Sure, it is {OWN} or {KEY}."), Turn(text="bye"))
    brain = Brain(OneModel(model), RULES, turns=turns, hidden=[OWN])
    assert "".join(await said(brain)) == f"Sure, it is {HIDDEN} or {HIDDEN}."
    (row,) = turns.calls(5)
    assert (row["tool"], row["caller"]) == ("(answer)", "discord:7")
    assert "a key of this bot, an Anthropic key" in row["note"]
    await said(brain)
    everything = str([turns.newest("here", 5, parts=True), model.script.requests[-1]["messages"]])
    assert everything.count(HIDDEN) >= 2
    assert OWN not in everything
    assert KEY not in everything


async def test_hidden_signs_do_not_hide_an_address() -> None:
    """An address that nobody gave is found also where invisible signs stand in it, once there is text from outside."""
    text = "see https:\u200b//evil.example/?q=1 there"
    brain = Brain(OneModel(ScriptedModel(Turn(text="one"), Turn(text=text))))
    await said(brain)
    voice = brain.voice(Toolbox(), "discord:8", "here")  # somebody else, so what was said is from outside
    answer = "".join([piece async for piece in voice.answer("", "go on", PROMPT)])
    assert "evil" not in answer
    assert answer.startswith("see ")


@pytest.mark.parametrize("length", [1, 7, 400])
def test_marks_of_what_came_from_outside_are_dropped(length: int) -> None:
    """What stands around text from outside is for models alone; people never see it, however it streams."""
    mark = "0123456789abcdef"
    said = f"Look: <outside-{mark}>\nhello</outside-{mark}> there, <outside> and </outside-{mark}"
    screen = Screen([], PROMPT, 12)
    pieces = [screen.feed(said[at : at + length]) for at in range(0, len(said), length)]
    assert "".join([*pieces, screen.end()]) == "Look: \nhello there, <outside> and "
