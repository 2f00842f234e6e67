"""What may leave: an answer is looked through while it streams, in one place, whoever wrote it."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.brain import Brain
from agent.chat.moderation import LONGEST, UNSAFE
from agent.chat.screen import HIDDEN, LONGEST_WORD, QUOTED, Screen, storable
from agent.chat.toolbox import Toolbox
from agent.chat.turns import Turns
from agent.models.single import OneModel
from agent.providers.scripted import ScriptedModel
from agent.types import Image, Message, Prices, ToolCall, Usage
from policies.load import load_rules
from tests.fakes.scripted import Turn

RULES = load_rules()
OWN = "hunter2-our-own-key"
PROMPT = (
    "You are Theseus, a helpful member of this chat. Be kind, brief and concrete: a short question gets a short answer. "
    "Say so when you do not know something, and never make up facts."
)
KEY = "sk-ant-api03-" + "a1" * 24
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\nx-y\n-----END RSA PRIVATE KEY-----"


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
    ],
)
def test_what_may_not_leave_does_not(text: str, shown: str) -> None:
    """Keys, private keys, mentions, hidden signs and long quotations of the instructions are gone, wherever pieces end."""
    assert {passed(text, seed) for seed in range(40)} == {shown}


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
    assert {passed(text, seed) for seed in range(40)} == {text}


@given(st.lists(st.sampled_from([*PROMPT.split(), "zebra", "\n", "```", "-----BEGIN", "<@", "x" * 50])))
def test_nothing_is_lost_or_doubled(words: list[str]) -> None:
    """Whatever is said, in which pieces ever, comes out whole where nothing is taken out of it."""
    text = " ".join(words)
    whole = passed(text)
    assert {passed(text, seed) for seed in range(3)} == {whole}
    assert whole == text or QUOTED in whole


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


async def said(brain: Brain, text: str = "hello there") -> list[str]:
    """An answer in its pieces."""
    voice = brain.voice(Toolbox(), "discord:7", "here")
    return [piece async for piece in voice.answer("", text, PROMPT)]


@pytest.fixture
def turns(tmp_path: Path) -> Any:
    """A fresh file."""
    opened = Turns(tmp_path / "turns.sqlite3")
    yield opened
    opened.close()


def test_what_is_written_down_holds_no_key_and_no_picture() -> None:
    """Text, calls and the vendor's own record of a message are kept without keys; one without any is kept as it is."""
    call = ToolCall(id="1", name="x", arguments=f'{{"key": "{KEY}"}}')
    for spoilt in (
        Message(role="assistant", text=f"it is {OWN}", native="signed"),
        Message(role="assistant", calls=(call,), native="signed"),
        Message(role="assistant", text="no", native=f"thinks of {KEY}"),
    ):
        kept = storable(spoilt, [OWN])
        assert KEY not in str(kept)
        assert OWN not in str(kept)
        assert kept.native == ""
    clean = Message(
        role="assistant", text="hello", calls=(call.model_copy(update={"arguments": "{}"}),), native="signed"
    )
    assert storable(clean, [OWN]) == clean
    seen = Message(role="user", text="look", images=(Image(kind="image/png", data=b"x"),))
    assert storable(seen, [OWN]).images == ()


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


MODERATED = RULES.model_copy(update={"answers": RULES.answers.model_copy(update={"moderation": True})})


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        ('{"unsafe": false, "why": ""}', "I said it."),
        ('```json\n{"unsafe": false}\n```', "I said it."),
        ('{"unsafe": true, "why": "threatens"}', UNSAFE),
        ("It looks safe to me.", UNSAFE),
        ('{"unsafe": "no"}', UNSAFE),
        ("", UNSAFE),
    ],
)
async def test_a_model_reads_the_answer_first(turns: Turns, verdict: str, shown: str) -> None:
    """Where the rules say so, nothing is shown until a model for moderation finds it safe; no clear word means no."""
    model = ScriptedModel(Turn(text="I said it."), Turn(text=verdict), prices=Prices(input=2, output=10))
    brain = Brain(OneModel(model), MODERATED, turns=turns)
    assert await said(brain) == [shown]
    assert [kept.answer for kept in turns.newest("here", 1)] == [shown]
    assert [row["tool"] for row in turns.calls(5)] == (["(answer)"] if shown == UNSAFE else [])
    spent = brain.accounts.today(brain.accounts.purse("discord:7", "here"))[0][1]
    assert spent.dollars == pytest.approx(2 * model.prices.cost(Usage(input=100, output=20)))


async def test_what_is_too_long_to_be_judged_is_not_shown(turns: Turns) -> None:
    """An answer of which a part would go unread is left out, and no model is asked about it."""
    model = ScriptedModel(Turn(text="word " * (LONGEST // 5 + 1)), Turn(text='{"unsafe": false}'))
    assert await said(Brain(OneModel(model), MODERATED, turns=turns)) == [UNSAFE]
    assert len(model.script.requests) == 1


async def test_where_nobody_can_judge_nothing_is_shown(turns: Turns) -> None:
    """A model for moderation that fails is no permission."""
    model = ScriptedModel(Turn(text="I said it."), Turn(status=500))
    assert await said(Brain(OneModel(model), MODERATED, turns=turns)) == [UNSAFE]
    assert "could not be judged" in turns.calls(1)[0]["note"]
