"""Code runs in the sandbox or not at all, and services are lent as the rules say."""

from pathlib import Path

import pytest

from agent.services.lend import open_services
from agent.services.runner import SandboxRunner
from agent.tool import ToolRefused
from policies.load import load_rules
from sandbox.types import Command, Outcome, Sandbox, SandboxUnavailable
from tests.agent.lent_here import RULES, ruled
from tests.fakes.local_sandbox import LocalSandbox


class Telling(LocalSandbox):
    """Notes what it is asked to run, and answers what it is told to."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        super().__init__()
        self.commands: list[Command] = []
        self._outcome = outcome

    async def run(self, command: Command) -> Outcome:
        """Note the command."""
        self.commands.append(command)
        return self._outcome or await super().run(command)


def runner(sandbox: Telling) -> SandboxRunner:
    async def opened() -> Sandbox:
        return sandbox

    return SandboxRunner(opened, RULES)


async def test_a_program_is_run_and_told_of() -> None:
    """What a program printed and how it ended is told, its errors included."""
    told = await runner(Telling()).python("print('h\u00e9llo')\nraise SystemExit(3)", 5)
    assert "exit code 3" in told
    assert "h\u00e9llo" in told
    assert "ZeroDivisionError" in await runner(Telling()).python("1/0", 5)


async def test_a_program_gets_small_limits_and_no_more_time_than_allowed() -> None:
    """Whoever asks for an hour gets what the rules allow."""
    sandbox = Telling(Outcome(exit_code=0))
    await runner(sandbox).python("pass", 3600)
    limits = sandbox.commands[0].limits
    assert limits.seconds == RULES.run_seconds
    assert limits.memory_mb == RULES.run_memory_mb
    assert limits.processes <= 16


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(exit_code=None, timed_out=True), "longest it may take"),
        (Outcome(exit_code=137, out_of_memory=True), "MiB of memory"),
        (Outcome(exit_code=None), "from outside"),
        (Outcome(exit_code=0, stdout=b"x" * 9, truncated=True), "the rest is dropped"),
        (Outcome(exit_code=0, stdout=b"a\xff\x1b[31m\x00"), "a\ufffd[31m"),
    ],
)
async def test_each_way_to_end_is_said(outcome: Outcome, said: str) -> None:
    """A model hears why there is no more, and gets no characters that nobody sees."""
    assert said in await runner(Telling(outcome)).python("pass", 1)


async def test_without_a_sandbox_nothing_runs() -> None:
    """No sandbox is a refusal that says what to install."""

    async def none() -> Sandbox:
        raise SandboxUnavailable("install Docker")

    with pytest.raises(ToolRefused, match="install Docker"):
        await SandboxRunner(none, RULES).python("print(1)", 5)


@pytest.mark.parametrize("code", ["", "  \n", "x" * 50_001])
async def test_no_program_and_too_long_a_program_are_refused(code: str) -> None:
    """Before anything is started."""
    sandbox = Telling()
    with pytest.raises(ToolRefused):
        await runner(sandbox).python(code, 5)
    assert sandbox.commands == []


async def test_services_are_lent_as_the_rules_say(tmp_path: Path) -> None:
    """Databases are lent only where the rules name some; closing lets go of everything."""

    async def none() -> Sandbox:
        raise SandboxUnavailable("none")

    rules = load_rules()
    services = open_services(rules, tmp_path, none)
    assert set(services.lent) == {"web", "api", "runner", "files"}
    await services.close()
    some = rules.model_copy(update={"services": ruled(databases={"shop": "shop.db"}, folder="")})
    services = open_services(some, tmp_path, none, exa_key="key")
    assert set(services.lent) == {"web", "api", "runner", "data"}
    await services.close()
