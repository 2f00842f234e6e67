"""What a commit says of itself can be read again, and only when it is said once and whole."""

import pytest

from selfedit.history.attestation import Attestation, attested

SAID = Attestation(
    kind="merge", tree="a" * 40, verdict="passed", policy="p", approvals=("console:ann",), proposal=3
)


def test_what_was_said_is_read() -> None:
    """The trailer gives back the very same attestation, wherever it stands in the message."""
    assert attested(f"Merge proposal 3: x\n\nProposal: 3\n{SAID.line()}\nLedger: 0\n") == SAID


@pytest.mark.parametrize(
    "message",
    [
        "Merge proposal 3: x",
        f"x\n\n{SAID.line()}\n{SAID.line()}\n",
        "x\n\nAttestation: {}\n",
        "x\n\nAttestation: nonsense\n",
        f"x\n\n{SAID.line().replace('passed', 'waved through')}\n",
        f'x\n\n{SAID.line()[:-1]}, "more": 1}}\n',
        f"x\n\n  {SAID.line()}\n",
    ],
)
def test_anything_else_is_none(message: str) -> None:
    """None, twice, of another shape, with a verdict that does not exist: there is no attestation."""
    assert attested(message) is None
