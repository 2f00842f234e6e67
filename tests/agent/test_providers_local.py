"""The embedded model: when it is asked, what it is shown, and what is said where it is not there."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.models.catalogue import builtin
from agent.models.offers import Keys, choose, missing
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.local import NAME, Local, newest
from agent.types import Ask, Message, Needs, ToolSpec

ASK = Ask(messages=(Message(role="user", text="Hello?"),))
CLOUD = SecretStr("sk-something")


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role="user", text=text) for text in texts)


def test_it_answers_where_there_is_nothing_else() -> None:
    """Installed and alone, it answers unasked, nothing is missing, and the operator hears once what it cannot do."""
    keys = Keys(embedded_model=True)
    (offer,) = choose(keys)
    assert (offer.name, offer.private, offer.offered) == (f"embedded/{NAME}", True, True)
    assert "only talks" in offer.about
    assert missing(keys) is None
    (notice,) = Router.of(keys).notices
    assert "writes no code" in notice


def test_beside_another_it_waits_to_be_named() -> None:
    """Where a better model is set up it answers nobody who does not name it, and the operator hears nothing of it."""
    keys = Keys(embedded_model=True, anthropic_api_key=CLOUD)
    *others, offer = choose(keys)
    assert others
    assert (offer.vendor, offer.offered) == ("embedded", False)
    assert Router.of(keys).notices == ()


def test_it_writes_no_code() -> None:
    """Alone it is no author, whoever asks for one; beside a model that can, there is one."""
    assert Router.of(Keys(embedded_model=True)).provider(Needs(code=True)) is None
    assert Router.of(Keys(embedded_model=True)).provider(Needs()) is not None
    assert Router.of(Keys(embedded_model=True, openai_api_key=CLOUD)).provider(Needs(code=True)) is not None


async def test_what_must_stay_here_is_asked_of_it() -> None:
    """Beside models elsewhere, it is the one that is tried with what must not leave this machine, and the only one."""
    router = Router.of(Keys(embedded_model=True, openai_api_key=CLOUD, openai_base_url="http://192.0.2.1/v1"))
    order = await router._order(ASK, Needs(private=True))
    assert [seat.offer.name for seat, _ in order] == [f"embedded/{NAME}"]
    unasked = await router._order(ASK, Needs())
    assert f"embedded/{NAME}" not in {seat.offer.name for seat, _ in unasked}
    await router.close()


async def test_alone_it_is_not_asked_for_a_call() -> None:
    """Where nobody else is there, a call that is forced is refused at once, in a sentence and without a question."""
    router = Router.of(Keys(embedded_model=True))
    spec = ToolSpec(name="roll", description="Roll.", parameters={"type": "object"})
    for choice in ("required", "roll"):
        forced = ASK.model_copy(update={"tools": (spec,), "choice": choice})
        with pytest.raises(ProviderFailed, match="calls no tools"):
            await router._order(forced, Needs())
    assert await router._order(ASK.model_copy(update={"tools": (spec,)}), Needs())
    await router.close()


def test_it_is_offered_no_tools_of_its_own_accord() -> None:
    """The table says that it has none, and that it calls some only where a call is asked for."""
    row = builtin().row(NAME)
    assert (row.tools, row.vision, row.default_enabled) == ("no", "no", False)


async def test_one_that_cannot_be_loaded_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Without the library, or with weights that are none, the answer says what to do; asked again, it tries again."""
    file = tmp_path / "model.gguf"
    file.write_text("not a model")
    provider = Local(file)
    for _ in range(2):
        with pytest.raises(ProviderFailed, match="scripts/setup local"):
            await provider.complete(ASK)
    await provider.close()
    with pytest.raises(ProviderFailed, match="start the bot again"):
        await provider.complete(ASK)


def test_of_a_long_conversation_the_newest_part_is_shown() -> None:
    """Instructions stay, the newest messages fit into the room, and the last is cut rather than left out."""
    system = Message(role="system", text="Be kind.")
    assert newest((system, *said("a" * 50, "b" * 50, "c" * 40)), 100) == (system, *said("b" * 50, "c" * 40))
    assert newest((system, *said("a", "b" * 200)), 100) == (system, *said("b" * 100))
    assert newest(said("\N{SNOWMAN}" * 40), 10) == said("\N{SNOWMAN}" * 3)
    assert newest((), 10) == ()
