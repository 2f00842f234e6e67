"""What docs/github.md says is so: its example, its settings, its rights, its commands."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.decision import Finding, Severity
from sandbox.types import SandboxInfo
from selfedit.answers.telling import Changed
from selfedit.editing.edits import SetConstant, WriteText
from selfedit.forge.github import texts
from selfedit.forge.github.installing import _parser
from selfedit.ports import ForgeDown
from selfedit.types import Check, GateReport, Proposal, Stage
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import forge_world

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/github.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLE = re.compile(
    r"(<!-- example: .*? -->\n~~~markdown\n)(.*?)(~~~\n<!-- end of the example -->)", re.DOTALL
)
ROLL, ROLL_TEST = "bot/live/roll/feature.py", "tests/live/test_roll.py"


def example() -> str:
    """A pull request's title and body, as the code writes them."""
    base, head, tree = "3f1c9a7d20b4" * 3 + "3f1c", "b81e4c06a2d9" * 3 + "b81e", "77d0e51f38c6" * 3 + "77d0"
    table = [
        ("policy", 0.1, "2 files may change"),
        ("format", 0.4, "as the formatter has it"),
        ("lint", 0.4, "nothing found"),
    ]
    table += [
        ("types", 6.2, "nothing found"),
        ("imports", 1.9, "all contracts kept"),
        ("tests", 14.8, "412 passed"),
    ]
    table += [
        ("trial", 2.1, "it loads, twice"),
        ("behaviour", 2.3, "1 answer of 40 differs"),
        ("change", 9.6, "6 of 6 faults were noticed"),
    ]
    differs = Finding(
        rule="behaviour",
        severity=Severity.NOTE,
        message="/roll 150d6: was 'I can roll 1 to 100 dice at a time, not 150.'",
    )
    checks = tuple(
        Check(
            name=name,
            passed=True,
            seconds=took,
            summary=said,
            findings=(differs,) if name == "behaviour" else (),
        )
        for name, took, said in table
    )
    report = GateReport(
        verdict="passed",
        base=base,
        head=head,
        tree=tree,
        policy="5ad8" * 16,
        sandbox=SandboxInfo(backend="docker", image="sha256:64ca9971129a0b1a", reduced=False),
        checks=checks,
        seconds=31.0,
    )
    one = Proposal(
        number=12,
        stage=Stage.OPENED,
        title="Let /roll take up to 200 dice",
        goal="let us roll more dice at once",
        reason="Players ask for 150 dice and are told that 100 is the most. The answer stays short enough with 200.",
        requested_by="discord:184231",
        author="model",
        model="claude-sonnet",
        edits=(
            SetConstant(op="set_constant", path=ROLL, target="MOST_DICE", value="200"),
            WriteText(op="write_text", path=ROLL_TEST, text=""),
        ),
        branch="improve/12-let-roll-take-up-to-200-dice",
        base=base,
        head=head,
        names=(("discord:184231", "ben"),),
        report=report,
    )
    changed = (Changed(ROLL, 1, 1), Changed(ROLL_TEST, 6, 0))
    return f"# {texts.title(one)}\n\n{texts.body(one, changed, 'https://github.com/owner/name.git')}"


def test_the_example_is_what_the_code_writes() -> None:
    """The pull request that the guide shows is rendered by the code that renders all of them."""
    found = EXAMPLE.search(GUIDE)
    assert found is not None
    assert found[2] == example()


NAMED = re.compile(
    r"\b(?:GITHUB|THESEUS|DISCORD|OPENAI|ANTHROPIC|LOCAL|EMBEDDED|ENABLE|MODELS|TIKTOKEN|EXA|DOCKER|SSL)_[A-Z_]+\b"
)
INNER = {
    "THESEUS_LINK",
    "THESEUS_FORGE_FD",
    "THESEUS_SECRETS_FD",
    "THESEUS_GIT_CREDENTIAL",
    "THESEUS_TEST_HOME",
    "THESEUS_EXPLORE",
}
"""Between our own processes, or for tests."""
THEIRS = {"GITHUB_STEP_SUMMARY", "GITHUB_APP", "DOCKER_TLS_VERIFY", "SSL_CERT_DIR"}
"""What a runner or a library has, or half of a name."""


def read_by_code() -> Iterator[str]:
    """Every name of a setting that the code holds as text, and those of the bot's settings."""
    for folder in ("selfedit", "bot", "agent", "sandbox"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(rf"[\"'{{]({NAMED.pattern})[\"'}}]", path.read_text("utf-8"))
    settings = (ROOT / "bot/settings.py").read_text("utf-8")
    yield from (name.upper() for name in re.findall(r"^    ([a-z_]+): .* = ", settings, re.MULTILINE))


def test_every_setting_is_explained_and_every_explained_one_is_read() -> None:
    """README's table and the code name the same settings, and the guides name none beyond those."""
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    explained = {*NAMED.findall(table), *re.findall(r"`([A-Z]+_[A-Z_]+)`", table)} - INNER
    read = set(read_by_code()) - INNER - THEIRS
    assert explained == read
    guides = "".join(
        path.read_text("utf-8") for path in [*(ROOT / "docs").glob("*.md"), ROOT / ".env.example"]
    )
    assert set(NAMED.findall(guides)) <= explained


def test_the_options_that_are_named_are_there() -> None:
    """Each option of scripts/github-setup that a guide names is one, and each of its options is named."""
    known = {name for action in _parser()._actions for name in action.option_strings if name.startswith("--")}
    named = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?![\w-])", EXAMPLE.sub("", GUIDE)))
    assert named - {"--all"} <= known
    assert known - {"--help", "--repository"} <= named


def rights() -> dict[str, str]:
    """The rights that the guide asks for, as GitHub's interface calls them."""
    rows = re.findall(r"^\| ([A-Z][a-z ]+): (read and write|read) \|", GUIDE, re.MULTILINE)
    called = {"commit statuses": "statuses"}
    return {
        called.get(name.lower(), name.lower().replace(" ", "_")): "write" if "write" in much else "read"
        for name, much in rows
    }


async def test_the_rights_that_are_asked_for_are_enough(
    tmp_path: Path, described: Description | Missing
) -> None:
    """With exactly those of the guide's table an App shows, judges, reads and merges a proposal."""
    assert len(rights()) == 6
    async with forge_world(tmp_path, described) as world:
        world.github.app.permissions = rights()
        await world.forge.announce(world.proposal())
        proposal = await world.opened()
        await world.forge.remark(proposal, "hello", "Hello.")
        state = await world.forge.look(proposal)
        assert state is not None
        assert state.head == proposal.head
        merged = await world.forge.merge(proposal, "Merge it", "as it was judged")
        assert isinstance(merged, str), merged


@pytest.mark.parametrize("right", ["contents", "pull_requests", "checks", "issues"])
async def test_each_right_that_writes_is_needed(
    tmp_path: Path, described: Description | Missing, right: str
) -> None:
    """With one of them only to read, something of that does not work, and it is said that rights are missing."""
    async with forge_world(tmp_path, described) as world:
        world.github.app.permissions = rights() | {right: "read"}
        with pytest.raises(ForgeDown):
            await world.forge.remark(await world.opened(), "hello", "Hello.")
