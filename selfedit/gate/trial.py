"""What a trial load tells the gate: loaded and unloaded, and how recorded conversations went.

It comes out of a process in which the code on trial ran, and is data: checked for its shape and bounded.
"""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.decision import Finding
from selfedit.gate.evidence import Step, no, trial_check

MOST_TURNS = 300
"""Turns of all conversations together."""
LONGEST_WHY = 2000
"""Characters of the sentence that says why code cannot serve."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answered(_Told):
    """How one turn of a conversation went.

    Attributes:
        place: Which turn of which conversation.
        said: What was said, cut.
        known: Whether it is chat, or a command that somebody answers to.
        answer: What came back, cut.
        error: Why nothing came back; empty when it was answered.
        ms: How long it took, in milliseconds; the fastest of several rounds.
        requests: How often the model was asked.
        tokens: What that would cost, estimated from the number of characters.
        steady: Whether each round gave the same answer.
        deeds: What it did to the system meanwhile, in words.
    """

    place: str = Field(max_length=100)
    said: str = Field(max_length=300)
    known: bool = True
    answer: str = Field(default="", max_length=2100)
    error: str = Field(default="", max_length=2100)
    ms: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    requests: int = Field(default=0, ge=0)
    tokens: int = Field(default=0, ge=0)
    steady: bool = True
    deeds: tuple[str, ...] = Field(default=(), max_length=30)

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same turn of any two commits."""
        return self.place, self.said

    @property
    def works(self) -> bool:
        """Whether people get an answer."""
        return self.known and not self.error and bool(self.answer.strip())


class Trial(_Told):
    """What a trial load tells.

    Attributes:
        ok: Whether the code can serve.
        rule: The rule that it breaks, if it cannot.
        why: The sentence for people, if it cannot.
        features: Names of the features, sorted.
        commands: Names of the commands, sorted.
        script: Names exactly the conversations that were held; empty when none were.
        turns: How each of their turns went.
        kept: Blocks of memory that each further round of them leaves taken.
    """

    ok: bool
    rule: str = Field(default="", pattern=r"^[a-z_]{0,40}$")
    why: str = Field(default="", max_length=LONGEST_WHY)
    features: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    script: str = Field(default="", max_length=64)
    turns: tuple[Answered, ...] = Field(default=(), max_length=MOST_TURNS * 2)
    kept: int = Field(default=0, ge=0)


def read_trial(step: Step) -> Trial | Finding:
    """What a trial load told, or why it cannot be used; exit code, time-out and output must agree."""
    loaded = trial_check(step)
    try:
        trial = Trial.model_validate_json((step.out.strip().splitlines() or [""])[-1])
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        message = (
            f"what the trial load wrote makes no sense ({where or 'it is no JSON'}); it writes one line, once"
        )
        return no("no_report", message) if loaded.passed else loaded.findings[0]
    if loaded.passed:
        return trial
    finding = loaded.findings[0]
    # An exit code at odds with what was told has a rule of its own.
    return (
        finding.model_copy(update={"rule": trial.rule}) if finding.rule == "trial" and trial.rule else finding
    )
