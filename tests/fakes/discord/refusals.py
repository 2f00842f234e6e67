"""Errors that the REST interface answers with, in Discord's words."""

from typing import Any


class Refusal(Exception):
    """A request that is answered with an error, as Discord words it."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, errors


def unknown(what: str, code: int) -> Refusal:
    """The error for something that is not there."""
    return Refusal(404, code, f"Unknown {what}")


def invalid(field_name: str, code: str, message: str) -> Refusal:
    """The error for a body in which one field does not do."""
    errors = {field_name: {"_errors": [{"code": code, "message": message}]}}
    return Refusal(400, 50035, "Invalid Form Body", errors)
