"""What the job `gate` says of a verdict: no command of the runner, and plain text in its summary."""

import re
import subprocess
from pathlib import Path

import pytest

from policies.decision import Finding
from selfedit.forge.github.job import annotations, summary, tell
from selfedit.gate.evidence import failed
from selfedit.types import GateReport
from tests.github.runner import ROOT


def test_the_job_explains_itself_and_passes_nothing_by_that() -> None:
    """Asked alone for help it says what it takes; a branch of that name is no question for help."""
    script = str(ROOT / "scripts/judge-proposal")
    helped = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
    assert (helped.returncode, "BASE HEAD BRANCH" in helped.stdout) == (0, True)
    assert subprocess.run([script, "base", "head", "--help"], capture_output=True, check=False).returncode > 1


# What is said, made harmless

FINDING = Finding(
    rule="x,::y",
    path="a:b,c\n::error::z",
    line=3,
    message="50%\n::stop-commands::k\r##[group]\u202e<b>[a](b)|@ann",
)
BAD = GateReport(
    verdict="refused", base="a" * 40, head="b" * 40, policy="c" * 64, checks=(failed("policy", FINDING),)
)


def test_what_strangers_wrote_is_no_command_of_the_runner(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of all lines that are printed the runner obeys one annotation, whose parts say no more than they should."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    tell(BAD)
    printed = capsys.readouterr().out
    obeyed = [line for line in re.split(r"[\r\n]", printed) if line.lstrip().startswith("::")]
    assert len(obeyed) == 1
    assert obeyed[0].startswith(
        "::error title=x%2C%3A%3Ay,file=a%3Ab%2Cc%0A%3A%3Aerror%3A%3Az,line=3::50%25%0A::stop"
    )
    assert "##[" not in printed.replace(obeyed[0], "")
    assert "\u202e" not in printed


def test_what_strangers_wrote_is_plain_text_in_the_summary() -> None:
    """No link, picture, mention or tag comes to be by a finding: what could is escaped, or stands as code."""
    said = summary(BAD)
    assert "\u202e" not in said
    bare = re.sub(r"\\[^\w\s]|`[^`\n]*`", "", said)
    assert not {"<", "[", "]", "@"} & set(bare)


def test_more_findings_than_are_shown_stay_few() -> None:
    """A flood of findings is no flood of annotations, and the summary stays far below what GitHub takes."""
    many = [FINDING.model_copy(update={"message": "x" * 9000}) for _ in range(5000)]
    assert len(annotations(many)) == 10
    check = BAD.checks[0].model_copy(update={"findings": tuple(many)})
    assert len(summary(BAD.model_copy(update={"checks": (check,)}))) < 500_000
