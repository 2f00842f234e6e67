"""Which models the settings give access to."""

from typing import get_args

import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS
from anthropic.types.model import Model
from openai.types.shared.chat_model import ChatModel
from pydantic import SecretStr

from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.openai import OpenAI
from agent.router import Keys, choose, missing, models, open_model
from agent.types import Usage

KEY = SecretStr("sk-something")


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        (Keys(), []),
        (Keys(openai_api_key=SecretStr(""), anthropic_api_key=SecretStr(" ")), []),
        (Keys(openai_api_key=KEY), [OpenAI]),
        (Keys(openai_api_key=KEY, openai_base_url="https://eu.api.openai.com/v1"), [OpenAI]),
        (Keys(openai_api_key=KEY, openai_base_url="https://openai.com.evil.example/v1"), [Compatible]),
        (Keys(openai_base_url="http://127.0.0.1:9/v1"), [Compatible]),
        (Keys(anthropic_api_key=KEY), [Anthropic]),
        (Keys(local_model_url="http://127.0.0.1:9/v1"), [Compatible]),
        (
            Keys(openai_api_key=KEY, anthropic_api_key=KEY, local_model_url="http://127.0.0.1:9/v1"),
            [Compatible, Anthropic, OpenAI],
        ),
    ],
)
def test_settings_decide_who_is_asked(keys: Keys, kinds: list[type]) -> None:
    """Each row of the table: what is set, and who is asked in which order."""
    assert [type(provider) for provider in choose(keys)] == kinds
    assert (missing(keys) is None) == bool(kinds)
    assert (open_model(keys) is None) == (not kinds)


def test_a_setting_names_the_model() -> None:
    """A model's name from the settings goes before the default, with its own price."""
    (chosen,) = choose(Keys(anthropic_api_key=KEY, anthropic_model="claude-opus-5-5"))
    assert (chosen.model, chosen.prices.output) == ("claude-opus-5-5", 20.0)


def test_defaults_are_models_that_the_sdks_know_and_do_not_retire() -> None:
    """The default models are in the SDKs' own lists, none is on its way out, and all have a price."""
    defaults = models().defaults
    assert defaults.openai in get_args(ChatModel)
    assert defaults.anthropic in get_args(get_args(Model)[0])
    assert not set(models().prices) & set(DEPRECATED_MODELS)
    for name in (defaults.openai, defaults.anthropic):
        assert models().price(name).cost(Usage(input=1_000_000, output=1_000_000)) > 0


def test_a_dated_name_costs_what_its_family_does() -> None:
    """Dated snapshots are priced like their family; a longer name of another model is not."""
    table = models()
    assert table.price("gpt-5.4-2026-03-05") == table.prices["gpt-5.4"]
    assert table.price("gpt-5.4-mini-2026-03-17") == table.prices["gpt-5.4-mini"]
    assert table.price("gpt-5.4-nano").output == 0


def test_keys_do_not_show_themselves() -> None:
    """The settings can be printed without giving a key away."""
    assert "sk-something" not in repr(Keys(openai_api_key=KEY))
