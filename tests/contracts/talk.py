"""What is promised of chat, of help, and of every command there is, however the answers are worded."""

import re

from selfedit.gate.inside.contract import Call, Draw, stable

PIECES = [
    *(
        "/",
        "2d6",
        "d",
        "+",
        "-",
        "9999",
        " to ",
        "km",
        "5 miles",
        " or ",
        ",",
        "|",
        "yes",
        "help",
        "%s",
        "{}",
    ),
    *("@everyone", "```", "\n", "\\", "<@1>", "٣", "²", "½", "\u200b"),
]
LONGEST = 4000
"""Characters of an answer: two messages where people are met, as the list of all commands takes."""


@stable
def contract_help_lists_every_command(call: Call, draw: Draw) -> None:
    """Help names each command that works."""
    assert draw.in_turn(call("commands"))["name"] in re.findall(r"/([a-z0-9_-]+)", call("turn", "/help"))


def contract_help_explains_a_command(call: Call, draw: Draw) -> None:
    """Help on a command says what that one is for, and on a name that is none nothing of the kind."""
    one = draw.in_turn(call("commands"))
    given = draw.choice([one["name"], f"/{one['name']}"])
    answer = call("turn", f"/help {given}")
    assert one["name"] in answer
    assert one["summary"] in answer
    assert one["summary"] not in call("turn", f"/help no{draw.word(9, 12)}")


def contract_any_command_answers_anything(call: Call, draw: Draw) -> None:
    """Whatever is typed behind a command, it answers with some text, and does not fail."""
    names = [one["name"] for one in call("commands") if one["live"]]
    answer = call("turn", f"/{draw.in_turn(names)} {draw.text(60, PIECES)}", chance=draw.chances(3))
    assert isinstance(answer, str)
    assert 0 < len(answer.strip()) <= len(answer) <= LONGEST


def contract_chat_answers_anything(call: Call, draw: Draw) -> None:
    """Whatever is said, chat answers with some text, with a model or without, even if the model says nothing."""
    said = draw.text(200, PIECES).strip().lstrip("/") or "hello"
    missing, model = draw.choice([(None, None), ("Set a key.", None), (None, [draw.word()]), (None, [" "])])
    answer = call("turn", said, missing=missing, model=model)
    assert isinstance(answer, str)
    assert answer.strip()


@stable
def contract_without_a_model_chat_says_so(call: Call, draw: Draw) -> None:
    """Without a model the answer says what is missing, word for word."""
    missing = f"Set the key {draw.word(5, 9)}."
    assert missing in call("turn", draw.choice(["hello", draw.word(3, 20), "What is love?"]), missing=missing)


def contract_the_models_words_are_passed_on(call: Call, draw: Draw) -> None:
    """What a model says comes to people word by word, and the model hears what they said and its instructions."""
    words = [draw.word(1, 12) for _ in range(draw.integer(1, 30))]
    said = draw.word(4, 30)
    assert " ".join(words) in " ".join(call("turn", said, model=[f"{word} " for word in words]).split())
    _, heard, instructions = call("told", said, words)
    assert said in heard
    assert instructions.strip()
