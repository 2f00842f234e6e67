"""What all share that move `main` on, wherever it lives."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from policies.load import Rules
from selfedit.gate.gate import Gate
from selfedit.history.record import Record
from selfedit.history.signing import Signer
from selfedit.ports import Announce, Forge
from selfedit.repo import Repo

ForgeT_co = TypeVar("ForgeT_co", bound=Forge, covariant=True)


@dataclass(frozen=True, slots=True)
class Shared(Generic[ForgeT_co]):
    """Handed on whole by who composes them.

    Attributes:
        repo: The repository here.
        record: What happened.
        gate: Judges.
        forge: Where proposals are shown; an `Upstream` where `main` lives there.
        signer: Vouches.
        rules: What is allowed.
        tell: Hears of progress.
    """

    repo: Repo
    record: Record
    gate: Gate
    forge: ForgeT_co
    signer: Signer
    rules: Rules
    tell: Announce
