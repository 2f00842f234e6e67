"""The steward's side of rights, without a ledger."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from policies.load import Rules, load_rules
from policies.rights import Grant, with_change
from selfedit import protocol as say
from selfedit.rights import standing, wanted
from selfedit.types import Granted
from tests.fakes.steward import Answers


class Office:
    """Keeps who may do what; `answers` is for the steward of a test."""

    def __init__(self, *grants: Grant, rules: Rules | None = None) -> None:
        self.grants = frozenset(grants)
        self.rules = rules or load_rules()

    @property
    def answers(self) -> Answers:
        """What the steward is asked about rights, and how it answers."""
        return {say.Rights: lambda _: self.rights(), say.Grant: self.change, say.Withdraw: self.change}

    def rights(self) -> say.RightsAre:
        """Who may do what now."""
        stand = sorted(self.grants, key=lambda grant: (grant.capability, grant.who))
        return standing([Granted(**asdict(one), by="console:me", at=_LONG_AGO) for one in stand], self.rules)

    def change(self, asked: Any) -> BaseModel:
        """Change a right, or say why not."""
        change = wanted(asked, self.grants, self.rules)
        if isinstance(change, say.Refused):
            return change
        self.grants = with_change(self.grants, change)
        return self.rights()


_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
