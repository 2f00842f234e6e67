"""Pictures, options and what may leave, through the whole bot: its process, its console, this tree's live code, real SDKs."""

import json
from pathlib import Path

from bot.trial import plan_of
from tests.fakes.pictures import png
from tests.fakes.process import running
from tests.fakes.scripted import Script, Turn, Use, serving

ROOT = Path(__file__).resolve().parents[2]
OWN = "sk-ant-made-up-for-this-test"


async def test_a_picture_goes_to_a_model_that_sees_unless_it_has_to_stay_here(tmp_path: Path) -> None:
    """Without a wish one that sees is asked; where a model of this machine is named, no other one is shown it either."""
    (tmp_path / "cat.png").write_bytes(png())
    looks = Use(name="look_at_image", arguments={"image": "cat.png", "question": "What colour?"})
    here = Script(
        [
            Turn(calls=(looks,), when="You see no pictures"),
            Turn(text="Nobody here tells me.", when="No model on this machine sees pictures"),
        ]
    )
    here.listed = [
        {
            "id": "m",
            "architecture": {"input_modalities": ["text"]},
            "supported_parameters": ["tools"],
            "context_length": 32_000,
        }
    ]
    away = Script([Turn(text=f"A cat, not {OWN}.")])
    async with serving("openai", here) as local, serving("anthropic", away) as anthropic:
        settings = {
            "LOCAL_MODEL_URL": local,
            "LOCAL_MODEL": "m",
            "ANTHROPIC_API_KEY": OWN,
            "ANTHROPIC_BASE_URL": anthropic,
        }
        async with running(tmp_path, settings) as bot:
            await bot.load(plan_of(ROOT))
            bot.type(f"/attach {tmp_path}/cat.png")
            await bot.until("goes along with your next message")
            bot.type("What is on it?")
            await bot.until("A cat, not (hidden).")
            bot.type(f"/attach {tmp_path}/cat.png")
            bot.type("/chat --model local/m What colour is it?")
            await bot.until("Nobody here tells me.")
            bot.type(f"/attach {tmp_path}/cat.png")
            bot.type("/chat --private What is on it now?")
            await bot.until("No model on this machine sees pictures")
    assert (here.faults, away.faults) == ([], [])
    assert "iVBORw0KGgo" in json.dumps(away.requests[0])
    assert "iVBORw0KGgo" not in json.dumps(here.requests)
