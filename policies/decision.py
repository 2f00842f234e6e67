"""The only vocabulary of "no": a decision is a list of findings, and one that refuses decides."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How much a finding weighs. The value is what people see."""

    REFUSE = "refuse"
    """Nothing may go on while this stands."""
    REVIEW = "review"
    """Allowed, but a person has to look at it before approving."""
    NOTE = "note"
    """Said for information."""


class Finding(BaseModel):
    """One thing that a rule or a tool has to say about one place.

    Attributes:
        rule: Stable name of the rule (`protected_path`) or the tool's code (`F401`).
        severity: How much it weighs.
        path: File it speaks of, relative to the repository's root with `/`; empty for the whole change.
        line: 1-based line in that file, where known.
        message: One sentence for people; it says how to get through where there is a way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    severity: Severity = Severity.REFUSE
    path: str = ""
    line: int | None = None
    message: str

    @property
    def place(self) -> str:
        """Where it is, in front of a sentence: `path:line: `, `path: `, or nothing."""
        if not self.path:
            return ""
        return f"{self.path}:{self.line}: " if self.line else f"{self.path}: "


class Decision(BaseModel):
    """The answer of a policy: allowed unless a finding refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[Finding, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing refuses."""
        return all(finding.severity is not Severity.REFUSE for finding in self.findings)

    @property
    def why(self) -> str:
        """The refusing sentences, one a line; empty when allowed."""
        return "\n".join(f.message for f in self.findings if f.severity is Severity.REFUSE)

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """A decision from whatever the rules found."""
        return cls(findings=tuple(findings))

    @classmethod
    def no(cls, rule: str, message: str, path: str = "", line: int | None = None) -> Self:
        """A refusal with a single finding."""
        return cls(findings=(Finding(rule=rule, path=path, line=line, message=message),))
