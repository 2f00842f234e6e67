"""What is private, or asked of a model on this machine, is read, seen and judged by nobody elsewhere."""

import json
from pathlib import Path

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.live.tools.look_at_image import look_at_image
from agent.models.catalogue import Row
from agent.models.offers import Offer
from agent.models.router import Router
from agent.providers.scripted import ScriptedModel
from agent.records.turns import Turns
from agent.tool import Manifest
from tests.agent.seeing import CAT, LOOKS, NOTES, RULES, asks_a, blind, said, sees, shown
from tests.fakes.scripted import Turn, Use
from tests.fakes.tools import box, echo


async def test_what_was_private_is_told_to_no_model_elsewhere(tmp_path: Path) -> None:
    """A private question goes to a model here, is not written down, and later questions that may leave do not carry it."""
    here, away = ScriptedModel(Turn(text="hush", times=0)), ScriptedModel(Turn(text="hi", times=0))
    models = Router(
        [Offer("away", away, Row(vision="yes")), Offer("local", here, Row(vision="yes"), private=True)]
    )
    turns = Turns(tmp_path / "turns.sqlite3")
    brain = Brain(models, turns=turns)
    tools = box(echo, look_at_image, echo=Manifest(uses=("web",)), look_at_image=Manifest(uses=("vision",)))
    assert await said(brain, "my secret", CAT, NOTES, toolbox=tools, private=True) == "hush"
    assert turns.newest("here", 9) == []
    assert [tool["name"] for tool in here.script.requests[0]["tools"]] == ["look_at_image"]
    assert await said(brain, "what did I say before?", toolbox=tools) == "hi"
    (request,) = away.script.requests
    for word in ("secret", "cat.png", "Tuesday", "look_at_image"):
        assert word not in json.dumps(request)
    assert await said(brain, "and keep it private, what did I say?", toolbox=tools) == "hush"
    assert "my secret" in json.dumps(here.script.requests[-1])
    turns.close()


async def test_nobody_elsewhere_looks_at_a_private_picture() -> None:
    """The tool that sees is bound by the wish, too: where no model here sees, the model that asked reads just that."""
    here, row = blind(LOOKS, Turn(text="I cannot tell."))
    away, _ = sees(Turn(text="never", times=0))
    brain = Brain(Router([Offer("away", away, Row(vision="yes")), Offer("local", here, row, private=True)]))
    answer = await said(brain, "What is it?", CAT, model="local/scripted", private=True)
    assert answer.startswith("I cannot tell.")
    assert "No model on this machine sees pictures" in shown(here)[-1]["text"]
    assert away.script.requests == []


async def test_who_judges_a_private_answer_is_here_as_well() -> None:
    """A model for moderation elsewhere does not read what is private."""
    here = ScriptedModel(Turn(text="hush"), Turn(text='{"unsafe": false}'))
    away = ScriptedModel(Turn(text="never", times=0))
    offers = [Offer("away", away, Row(good_at=("moderation",))), Offer("local", here, Row(), private=True)]
    rules = RULES.model_copy(update={"answers": RULES.answers.model_copy(update={"moderation": True})})
    assert await said(Brain(Router(offers), rules), "my secret", private=True) == "hush"
    assert away.script.requests == []


async def test_who_names_a_model_here_has_nobody_elsewhere_judge_or_look() -> None:
    """Where a model of this machine was asked for by name, neither the judge nor who looks at a picture is elsewhere."""
    here, row = blind(LOOKS, Turn(text="I cannot tell."), Turn(text='{"unsafe": false}'))
    away, _ = sees(Turn(text="never", times=0))
    offers = [
        Offer("away", away, Row(vision="yes", good_at=("moderation",))),
        Offer("local", here, row, private=True),
    ]
    rules = RULES.model_copy(update={"answers": RULES.answers.model_copy(update={"moderation": True})})
    answer = await said(Brain(Router(offers), rules), "What is it?", CAT, model="local/scripted")
    assert answer.startswith("I cannot tell.")
    assert away.script.requests == []


async def test_an_agent_of_a_private_question_is_private_too() -> None:
    """Whom an agent asks is bound by what its asker wished."""
    ask = Turn(calls=(Use(name="asks_a"),))
    here = ScriptedModel(ask, Turn(text="mine"), Turn(text="end"))
    away = ScriptedModel(Turn(text="never", times=0))
    brain = Brain(Router([Offer("away", away, Row(vision="yes")), Offer("local", here, Row(), private=True)]))
    tools = box(asks_a, asks_a=Manifest(uses=("agents",)))
    await said(brain, "go", toolbox=Toolbox(tools.tools, agents={"a": "You are a."}), private=True)
    assert len(here.script.requests) == 3
    assert away.script.requests == []
