"""Tools: what may be offered is found, what may not is refused with a reason, and lent what it names."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from agent.calling.toolbox import SERVICES, BadTool, discover
from agent.tool import Context, Manifest
from policies.load import Lent
from tests.agent.toolboxes import RULES, calls
from tests.fakes.tools import CONSOLE, HERE, box, call, echo, source

GOOD = """
    from typing import Annotated

    from agent.tool import Context, tool


    @tool(uses=["web"], examples=["shout(text='hi')"], aliases=["yell"])
    async def shout(context: Context, text: Annotated[str, "what to say louder"]) -> str:
        \"\"\"Say a text in capital letters.\"\"\"
        return text.upper()
"""


def test_a_tool_is_its_function() -> None:
    """Name, description, schema and manifest come from one file of ten lines; an alias finds it as well."""
    tools = discover(
        [
            source(GOOD),
            source("", "agent/live/tools/__init__.py"),
            source("x = 1", "agent/live/tools/_words.py"),
        ]
    )
    tool = tools.find("yell")
    assert tool is not None
    assert (tool.name, tool.manifest.uses, tool.manifest.version) == ("shout", ("web",), "1.0.0")
    assert tool.spec.name == "shout"
    assert tool.spec.description == "Say a text in capital letters. For example: shout(text='hi')"
    assert tool.spec.parameters["properties"]["text"] == {
        "type": "string",
        "description": "what to say louder",
    }


async def test_the_tool_of_the_guide_works() -> None:
    """The whole tool that the README shows is offered and runs."""
    readme = (Path(__file__).parents[2] / "agent" / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    tools = discover([source(text, "agent/live/tools/shout.py")])
    answered = await calls().run(tools, call("shout", text="hi"), HERE)
    assert (answered.outcome, answered.text) == ("ok", "HI")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("@tool(", "def tool2(**_): return lambda f: f\n    @tool2("), "no function"),
        (("return text.upper()", "return context.runner"), "does not name"),
        (("async def", "def"), "async def"),
        (('"""Say a text in capital letters."""', "pass"), "docstring"),
        (('Annotated[str, "what to say louder"]', "Exception"), "no JSON"),
        (('uses=["web"]', 'uses=["shell"]'), "shell"),
        (('uses=["web"]', 'uses=["web"], seconds=99999'), "99999"),
        (('uses=["web"]', 'uses=["web"], cost=-1'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=1e999-1e999'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=1e999'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cost=10**400'), "US dollars between"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=1e999'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=1e999-1e999'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], cache_seconds=-1'), "cache_seconds is a number"),
        (('uses=["web"]', 'uses=["web"], seconds=1e999-1e999'), "say between"),
        (('uses=["web"]', 'uses=["web"], writes=True, cache_seconds=5'), "cannot be kept"),
        (('uses=["web"]', 'uses=["web"], version="one"'), "1.0.0"),
        (('uses=["web"]', 'uses=["web"], permission="root"'), "nobody has"),
        (("shout(context", "Shout(context"), "no name for a tool"),
        (('["yell"]', '["Yell it"]'), "no name for a tool"),
        (('["yell"]', '["shout"]'), "another tool"),
    ],
)  # fmt: skip
def test_a_tool_that_cannot_be_offered_is_refused(change: tuple[str, str], says: str) -> None:
    """The reason names the file and what to change."""
    with pytest.raises(BadTool, match=r"agent/live/tools/probe\.py") as caught:
        discover([source(GOOD.replace(*change))])
    assert says in str(caught.value)


def test_no_two_tools_share_a_name() -> None:
    """A name or an alias that is taken refuses the set."""
    other = GOOD.replace("async def shout", "async def yell").replace('aliases=["yell"]', "")
    with pytest.raises(BadTool, match="another tool is called"):
        discover([source(GOOD), source(other, "agent/live/tools/second.py")])


async def test_a_tool_is_lent_what_it_names_and_nothing_else() -> None:
    """Touching a service that the manifest does not name is refused when it is touched."""

    async def probe(context: Context) -> str:
        """Touch."""
        return f"{context.web} {context.files}"

    named = await calls().run(box(probe, probe=Manifest(uses=("web", "files"))), call("probe"), CONSOLE)
    assert named.text == "the net a folder"
    unnamed = await calls().run(box(probe, probe=Manifest(uses=("web",))), call("probe"), HERE)
    assert (unnamed.outcome, "files" in unnamed.text) == ("refused", True)


async def test_permission_is_asked_when_listed_and_when_run() -> None:
    """What somebody may not use is neither offered nor run, also when a model calls it all the same."""
    heard: list[str] = []
    tools = box(echo, echo=Manifest(permission="maintainer"))
    assert tools.allowed("discord:7", "here", "partner", RULES) == []
    assert [tool.name for tool in tools.allowed("console:ann", "here", "partner", RULES)] == ["echo"]
    assert (await calls(heard).run(tools, call("echo"), HERE)).outcome == "denied"
    assert (await calls(heard).run(tools, call("echo"), CONSOLE)).outcome == "ok"
    assert heard == ["denied", "ok"]


@pytest.mark.parametrize("service", ["data", "files"])
async def test_no_tool_opens_the_operators_data_to_everyone(service: Any) -> None:
    """What a tool says of its permission counts only above what the rules ask for the services it uses."""
    tools = box(echo, echo=Manifest(uses=(service,), permission="everyone"))
    assert tools.allowed("discord:7", "here", "partner", RULES) == []
    assert (await calls().run(tools, call("echo"), HERE)).outcome == "denied"
    assert (await calls().run(tools, call("echo"), CONSOLE)).outcome == "ok"
    higher = box(echo, echo=Manifest(uses=(service,), permission="maintainer"))
    rules = RULES.model_copy(
        update={
            "tools": RULES.tools.model_copy(update={"trusted": ("discord:7",), "least": {service: "trusted"}})
        }
    )
    assert [tool.name for tool in tools.allowed("discord:7", "here", "partner", rules)] == ["echo"]
    assert higher.allowed("discord:7", "here", "partner", rules) == []


def test_the_rules_know_every_service() -> None:
    """Whatever a tool may ask to be lent, the rules can say who may use it."""
    assert set(get_args(Lent)) == SERVICES


@pytest.mark.parametrize("permission", ["everyone", "trusted", "maintainer"])
@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("listed", [None, (), ("echo",)])
@pytest.mark.parametrize("role", ["partner", "planner", "writer"])
def test_roles_and_lists_only_narrow(
    permission: Any, listed: tuple[str, ...] | None, role: Any, *, writes: bool
) -> None:
    """Whoever may use a tool in a role and a listed place may use it as a partner anywhere."""
    tools = box(echo, echo=Manifest(permission=permission, writes=writes))
    places = {} if listed is None else {"here": listed}
    rules = RULES.model_copy(
        update={"tools": RULES.tools.model_copy(update={"places": places, "trusted": ("discord:8",)})}
    )
    for caller in ("discord:7", "discord:8", "console:ann"):
        narrow = tools.allowed(caller, "here", role, rules)
        assert not narrow or tools.allowed(caller, "there", "partner", rules) == narrow
        assert not narrow or (listed is None or "echo" in listed)
        assert not narrow or not (writes and role == "planner")
