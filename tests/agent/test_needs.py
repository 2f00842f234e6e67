"""What a question needs is read off its words, and each kind is answered by the model that is good at it."""

import pytest
from pydantic import SecretStr

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.incoming.wish import Wish
from agent.models.catalogue import Row
from agent.models.needs import LONG_CHARS, needs_of
from agent.models.offers import Keys, Offer, choose
from agent.models.router import Router
from agent.providers.scripted import ScriptedModel
from agent.types import Needs, Prices
from policies.limits import Spent, nearly_spent
from policies.load import Quota, load_rules
from tests.fakes.pictures import attached
from tests.fakes.scripted import Turn

RULES = load_rules()
ASKED = {
    "complex": [
        "What strategy would you take to win back the customers we lost?",
        "Weigh up the pros and cons of moving to the country.",
        "Prove that there are infinitely many primes.",
        "x " * (LONG_CHARS // 2),
    ],
    "code": [
        "Write a function that sorts a list in Python",
        "Why is this? Traceback (most recent call last):\n  File 'a.py'",
        "```\nlet x = 1\n```\nwhat does that do",
        "Can you fix my script?",
        "What is a pointer in C++?",
        "import numpy as np\nwhat does that do",
        "class Dog:\n    pass",
    ],
    "safety": [
        "I swallowed bleach, what do I do?",
        "I can\u2019t breathe",
        "Sometimes I think of suicide.",
        "Is it safe to mix ibuprofen and alcohol?",
        "What is the dose of paracetamol for a child?",
    ],
    "private": [
        "Please keep this private: my salary is 5",
        "Answer offline only, what is my diagnosis?",
        "This must not leave this machine: the code word is swan",
        "My salary is 5, keep this private.",
        "my name is Ann. please keep it private and tell me a joke",
        "don\u2019t send this anywhere",
        "Could you keep this private?",
        "Use only a local model: who am I?",
        "--private who am I",
        "who am I --private",
        "\u2014private who am I",
    ],
    "moderation": [
        "Is this message toxic: you are all fools",
        "moderate: buy cheap watches",
        "Does that post break? It violates the rules, no?",
        "Moderate this: you fools",
    ],
    "cheap": ["hi", "Thank you very much!", "good morning :)"],
}


@pytest.mark.parametrize(("need", "text"), [(need, text) for need, every in ASKED.items() for text in every])
def test_each_kind_of_question_is_known_by_its_signs(need: str, text: str) -> None:
    """A hard, technical, delicate, private, moderating question and small talk are told apart, each with a reason."""
    read = needs_of(text)
    flags = ("complex", "code", "safety", "private", "moderation", "cheap")
    assert [name for name in flags if getattr(read, name)] == [need]
    assert read.why.startswith("the question ")


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of Norway?",
        "Tell me a story about a dog that learns to swim.",
        "How do I cook rice?",
        "How do I get rust off a bike?",
        "hi, what is the weather like on Mars?",
        "I sent my private letter offline",
        "In Java, should I keep this private?",
        "How do I process it locally?",
        "Which data should not be sent to the cloud?",
        "Should it not be sent to the cloud?",
        "Do I have to use a local model?",
        "Is this game offline only?",
        "Moderate exercise is good for me, is it?",
        "Is castling out of check against the rules?",
        "Help me to compile a list of songs",
        "Import duties on wine are how high?",
        "Class is cancelled today, what now?",
        "",
    ],
)
def test_an_ordinary_question_needs_nothing_in_particular(text: str) -> None:
    """Where no sign is found, nothing is needed and nothing is said of it."""
    assert needs_of(text) == Needs()


def test_a_tight_budget_beats_skill_but_not_care() -> None:
    """Once the day's money is nearly spent, price counts for more than skill; what is delicate, or private, stays so."""
    hard = needs_of("Write a function. What strategy would you take?", pressed=True)
    assert (hard.cheap, hard.code, hard.complex) == (True, False, False)
    assert "budget is nearly used up" in hard.why
    care = needs_of("keep this private, I think of suicide", pressed=True)
    assert (care.cheap, care.safety, care.private) == (True, True, True)


@pytest.mark.parametrize(("dollars", "near"), [(0.0, False), (7.9, False), (8.0, True), (12.0, True)])
def test_any_budget_can_be_nearly_spent(dollars: float, *, near: bool) -> None:
    """The share is reached by one budget alone, and one of nothing never is."""
    budgets = [
        (Spent(0, 0.0), Quota(tokens=1, dollars=0.0)),
        (Spent(0, 0.1), Quota(tokens=1, dollars=9.0)),
        (Spent(0, dollars), Quota(tokens=1, dollars=10.0)),
    ]
    assert nearly_spent(budgets, 0.8) == near


ROWS = {
    "usual": (Row(tools="yes", vision="no", context=100_000), 2.0),
    "thinker": (Row(tools="yes", vision="no", context=100_000, good_at=("complex", "safety")), 8.0),
    "coder": (Row(tools="yes", vision="no", context=100_000, good_at=("code",)), 4.0),
    "seer": (Row(tools="yes", vision="yes", context=100_000), 5.0),
    "guard": (Row(tools="yes", vision="no", context=100_000, good_at=("moderation", "cheap")), 0.5),
}


def house() -> Router:
    """A router over models for everything, one of them on this machine."""
    answer = Turn(text="yes", times=0)
    offers = [
        Offer(name, ScriptedModel(answer, prices=Prices(input=price, output=5 * price)), row)
        for name, (row, price) in ROWS.items()
    ]
    own = Offer("own", ScriptedModel(answer), Row(tools="no", vision="no", context=8_000), private=True)
    return Router([*offers, own])


async def route_of(brain: Brain, text: str, wish: Wish | None = None) -> str:
    """Who was asked first, and why, as `/why` shows it."""
    voice = brain.voice(Toolbox(), "discord:7", "here", wish or Wish())
    async for _ in voice.answer("", text, ""):
        pass
    return brain.routes().splitlines()[1].strip()


@pytest.mark.parametrize(
    ("text", "wish", "who", "why"),
    [
        ("What strategy would you take?", Wish(), "thinker", "good at hard questions (the question is a hard one)"),
        ("Write a function in Python", Wish(), "coder", "good at code (the question is about code)"),
        ("I think of suicide", Wish(), "thinker", "good at delicate questions (the question is a delicate one)"),
        ("moderate: buy watches", Wish(), "guard", "good at moderation"),
        ("Answer this offline: who am I?", Wish(), "own", "must stay on this machine"),
        ("Tell me of ships", Wish(private=True), "own", "must stay on this machine"),
        ("What is it?", Wish(attachments=(attached("cat.png"),)), "seer", "it sees pictures"),
        ("Tell me of ships", Wish(model="coder/scripted"), "coder", "asked for by name"),
        ("Tell me of ships", Wish(), "usual", "comes first in the settings"),
    ],
)  # fmt: skip
async def test_each_use_goes_its_own_way(text: str, wish: Wish, who: str, why: str) -> None:
    """Strategy, code, safety, moderation, offline, privacy, pictures, a name: each has its model, and the route says why."""
    route = await route_of(Brain(house()), text, wish)
    assert route.startswith(f"{who}/scripted: ")
    assert why in route


async def test_near_the_end_of_the_budget_a_cheaper_model_answers() -> None:
    """When most of the day's money is spent, the model that costs least is asked, and the route says why."""
    everyone = Quota(tokens=10**9, dollars=1.0)
    rules = RULES.model_copy(update={"limits": RULES.limits.model_copy(update={"everyone": everyone})})
    dear = Router(
        [
            Offer(
                name, ScriptedModel(Turn(text="y", times=0, output_tokens=7000), prices=prices), ROWS[name][0]
            )
            for name, prices in (("coder", Prices(output=90)), ("guard", Prices(output=0.1)))
        ]
    )
    brain = Brain(dear, rules)
    first = await route_of(brain, "Write a function in Python")
    assert first.startswith("coder/scripted: ")
    then = await route_of(brain, "Write a function in Python")
    assert then.startswith("guard/scripted: ")
    assert "it costs least (the question is about code, and today's budget is nearly used up)" in then


def test_the_models_that_come_along_have_one_for_each_use() -> None:
    """With the two vendors' keys, every need is met by a model that is good at it."""
    key = SecretStr("sk-something")
    offered = [each.row for each in choose(Keys(openai_api_key=key, anthropic_api_key=key)) if each.offered]
    for skill in ("complex", "code", "safety", "moderation", "cheap"):
        assert any(skill in row.good_at for row in offered), skill
