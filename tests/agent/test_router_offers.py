"""Which models the settings give access to, and what is known of them."""

from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS
from anthropic.types.model import Model
from openai.types.shared.chat_model import ChatModel
from pydantic import SecretStr

from agent.models.catalogue import CatalogueProblem, builtin, read_catalogue
from agent.models.offers import Keys, Offer, choose, endings, missing
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.openai import OpenAI
from agent.providers.scripted import ScriptedModel
from agent.types import RECKONED, Ask, Message, Needs, Usage

KEY = SecretStr("sk-something")
LOCAL = "http://127.0.0.1:9/v1"
TABLE = Path(__file__).resolve().parents[2] / "agent" / "models" / "models.toml"


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        (Keys(), []),
        (Keys(openai_api_key=SecretStr(""), anthropic_api_key=SecretStr(" ")), []),
        (Keys(openai_api_key=KEY), [OpenAI]),
        (Keys(openai_api_key=KEY, openai_base_url="https://eu.api.openai.com/v1"), [OpenAI]),
        (Keys(openai_api_key=KEY, openai_base_url="https://openai.com.evil.example/v1"), [Compatible]),
        (Keys(openai_base_url=LOCAL), [Compatible]),
        (Keys(anthropic_api_key=KEY), [Anthropic]),
        (Keys(local_model_url=LOCAL), [Compatible]),
        (
            Keys(openai_api_key=KEY, anthropic_api_key=KEY, local_model_url=LOCAL),
            [Compatible, OpenAI, Anthropic],
        ),
    ],
)
def test_settings_decide_who_is_asked(keys: Keys, kinds: list[type]) -> None:
    """Each row of the table: what is set, and who is asked in which order."""
    assert list(dict.fromkeys(type(offer.provider) for offer in choose(keys))) == kinds
    assert (missing(keys) is None) == bool(kinds)
    assert (Router.of(keys).missing is None) == bool(kinds)
    assert (Router.of(keys).provider(Needs()) is None) == (not kinds)


def test_a_setting_names_the_only_model_of_its_vendor() -> None:
    """A model named by a setting is the one that is asked, with its own price; others wait to be asked for by name."""
    offers = choose(Keys(anthropic_api_key=KEY, anthropic_model="claude-fable-5-1"))
    (asked,) = [offer for offer in offers if offer.offered]
    assert (asked.name, asked.provider.prices.output) == ("anthropic/claude-fable-5-1", 50.0)
    assert "anthropic/claude-haiku-4-5" in {offer.name for offer in offers}


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("http://localhost:11434/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://192.168.1.5:8080/v1", False),
        ("https://localhost.example.org/v1", False),
    ],
)
def test_only_this_machine_is_private(address: str, private: bool) -> None:  # noqa: FBT001 - a column of the table above
    """A server counts as private where its address is this machine's own."""
    assert choose(Keys(local_model_url=address))[0].private is private
    assert choose(Keys(openai_base_url=address))[0].private is private


def test_what_is_asked_unnamed_is_known_to_the_sdks_and_does_not_end() -> None:
    """Models that are asked without being named are in the SDKs' own lists, have a price, and are not on their way out."""
    table = builtin()
    known = {"openai": get_args(ChatModel), "anthropic": get_args(get_args(Model)[0])}
    for vendor, names in known.items():
        for model in table.offered(vendor):
            assert model in names
            assert table.row(model).vendor == vendor
            assert table.row(model).prices.cost(Usage(input=1_000_000, output=1_000_000)) > 0
            assert model not in DEPRECATED_MODELS
    for model, row in table.models.items():
        assert (row.ends is not None) == (model in DEPRECATED_MODELS)


def test_no_model_is_asked_unnamed_that_costs_more_than_is_reckoned() -> None:
    """What chat sets aside before it knows who answers is enough for each model that is asked unless named."""
    table = builtin()
    for vendor in ("openai", "anthropic"):
        prices = [table.row(model).prices for model in table.offered(vendor)]
        assert max(price.input for price in prices) <= RECKONED.input
        assert max(price.output for price in prices) <= RECKONED.output


def test_a_models_file_is_named_without_its_path() -> None:
    """A server that names its model by the path of a file does not show that path to people."""
    (offer,) = choose(Keys(local_model_url=LOCAL, local_model="/srv/models/Small-1B.Q4.gguf"))
    assert offer.name == "local/Small-1B.Q4"


def test_a_dated_name_is_known_as_its_family() -> None:
    """Dated snapshots are priced like their family; a longer name of another model is not."""
    table = builtin()
    assert table.row("gpt-5.4-2026-03-05") == table.models["gpt-5.4"]
    assert table.row("gpt-5.4-mini-2026-03-17") == table.models["gpt-5.4-mini"]
    assert table.row("gpt-5.4-nano").prices.output == 0
    assert table.row("openai/gpt-5.4") == table.models["gpt-5.4"]


def test_a_model_that_ends_is_told_of_with_its_setting() -> None:
    """Of a model that is asked and ends soon, the operator is told once, with the setting that chooses another."""
    offers = choose(Keys(anthropic_api_key=KEY, anthropic_model="claude-sonnet-4-5"))
    (sentence,) = endings(offers, date(2026, 11, 1))
    assert "2026-11-30" in sentence
    assert "ANTHROPIC_MODEL" in sentence
    assert endings(offers, date(2026, 1, 1)) == []
    assert "has ended" in endings(offers, date(2027, 1, 1))[0]
    assert endings(choose(Keys(anthropic_api_key=KEY)), date(2026, 11, 1)) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('tools = "yes"', 'tools = "maybe"', "17: models.gpt-6-astra.tools"),
        ("context = 400_000", "contxt = 400_000", "16: models.gpt-6-astra.contxt"),
        ("input = 10.0", "input = -1", "20: models.gpt-6-astra.prices.input"),
        ("[defaults]", "[defaults", "7: this is no TOML"),
        ('openai = "gpt-6.1-sol"\n', "", "7: defaults.openai"),
    ],
)
def test_a_table_at_fault_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    """A table with a wrong value, an unknown field, a missing one or broken syntax is refused, with file and line."""
    path = tmp_path / "own.toml"
    path.write_text(TABLE.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    with pytest.raises(CatalogueProblem) as problem:
        read_catalogue(path)
    assert str(problem.value).startswith(f"{path}:{says}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n"m": {}\n"n": {}}', "3: this is no JSON"),
        ('{\n"m": {},\n"n": {\n"supports_tools": "yes"}}', "4: models.n.supports_tools"),
        ('{"m": {\n"tool_settings": {\n"max_iterations": 0}}}', "3: models.m.tool_settings.max_iterations"),
    ],
)
def test_a_config_at_fault_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """The same for `models_config.json`."""
    path = tmp_path / "models_config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueProblem) as problem:
        read_catalogue(path)
    assert str(problem.value).startswith(f"{path}:{says}")


def test_a_config_changes_what_is_known(tmp_path: Path) -> None:
    """`models_config.json` says over the table what a model takes, and leaves the rest, prices included, as it was."""
    path = tmp_path / "models_config.json"
    path.write_text(
        '{"gpt-6-luna": {"supports_tools": false, "tool_settings": {"max_iterations": 3, "default_enabled": false}},'
        ' "own-model": {"supports_tools": true, "supports_vision": true, "context_length": 8192, "note": "mine"}}',
        encoding="utf-8",
    )
    table = read_catalogue(path)
    luna, own = table.row("gpt-6-luna"), table.row("own-model")
    assert (luna.tools, luna.max_iterations, luna.default_enabled) == ("no", 3, False)
    assert luna.prices == builtin().row("gpt-6-luna").prices
    assert (own.tools, own.vision, own.context) == ("yes", "yes", 8192)
    assert read_catalogue(None) is builtin()


def test_a_config_leaves_alone_what_it_does_not_name(tmp_path: Path) -> None:
    """An entry about one thing turns nothing else back: what the table switches off stays off."""
    path = tmp_path / "models_config.json"
    off = next(name for name, row in builtin().models.items() if not row.default_enabled)
    path.write_text(f'{{"{off}": {{"context_length": 4096}}}}', encoding="utf-8")
    row = read_catalogue(path).row(off)
    assert (row.context, row.default_enabled) == (4096, False)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    """A setting that names a file which is not there is answered with its name."""
    with pytest.raises(CatalogueProblem, match=r"nowhere\.json:1: the file cannot be read"):
        read_catalogue(tmp_path / "nowhere.json")


def test_an_offer_says_what_it_is() -> None:
    """What people choose from tells skills, limits and prices of a known model, and admits that it knows nothing."""
    known = choose(Keys(anthropic_api_key=KEY))[0].about
    assert all(word in known for word in ("code", "200,000 tokens", "$2 in"))
    assert Offer("local", ScriptedModel()).about == "nothing known of it"


@pytest.mark.parametrize("setting", ["local_model_url", "openai_base_url"])
async def test_what_an_address_carries_is_not_shown(setting: str, caplog: pytest.LogCaptureFixture) -> None:
    """A user, a password or a key in an address stands in no error, no reason and no line of the log."""
    keys = Keys.model_validate(
        {setting: "http://somebody:s3cret@127.0.0.1:9/v1?key=k3y#frag", "anthropic_api_key": KEY}
        | {"anthropic_base_url": "http://127.0.0.1:9"}
    )
    caplog.set_level("INFO")
    router = Router.of(keys)
    ask = Ask(messages=(Message(role="user", text="hello"),), seconds=1)
    with pytest.raises(ProviderFailed, match=r"127\.0\.0\.1:9/v1") as failure:
        async for _ in router.stream(ask, Needs()):
            pass
    await router.close()
    for shown in (
        str(failure.value),
        str(router.why()),
        caplog.text,
        str([one.about for one in router.catalogue]),
    ):
        assert not any(secret in shown for secret in ("somebody", "s3cret", "k3y"))


def test_the_middle_of_a_text_is_no_line_of_the_table(tmp_path: Path) -> None:
    """A table at fault is refused with its line, whatever the texts in it look like."""
    path = tmp_path / "own.toml"
    path.write_text(
        'note = """\nit\'s = 3\n[half\n"""\n' + TABLE.read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(CatalogueProblem, match=r"own\.toml:1: note"):
        read_catalogue(path)


def test_keys_do_not_show_themselves() -> None:
    """The settings can be printed without giving a key away."""
    assert "sk-something" not in repr(Keys(openai_api_key=KEY))
