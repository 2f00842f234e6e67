"""How a repository on GitHub is set up, as far as a token can see it."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from selfedit.forge.github.client import Client, No
from selfedit.forge.github.owners import OWNERS_FILE
from selfedit.forge.github.settings import GitHubSettings
from selfedit.forge.github.wanted import Found, Payload
from selfedit.ports import ForgeDown

NOT_FOUND = 404
HIDDEN = (401, 403, NOT_FOUND)
"""Answers to whoever may not see something, or where there is nothing to see."""


async def look(client: Client, settings: GitHubSettings, branch: str) -> Found:
    """All that can be seen of how the repository is set up."""
    base = f"/repos/{settings.repository}"
    there = await client.get(base, no=HIDDEN)
    if isinstance(there, No):
        if there.status == 401:  # noqa: PLR2004 - Unauthorized
            raise ForgeDown(
                f"GitHub does not accept this token ({there.message}); is it whole, and has it not expired?"
            )
        raise ForgeDown(
            f"{settings.repository} is not to be seen with this token; does it exist, and may the token read it?"
        )
    rules = await client.every(f"{base}/rules/branches/{quote(branch, safe='')}", no=HIDDEN)
    labels = await client.every(f"{base}/labels", no=HIDDEN)
    hooks = await client.every(f"{base}/hooks", no=HIDDEN)
    owners = await _owners(client, base, branch)
    if isinstance(rules, No) and rules.status == NOT_FOUND and _admin(there):
        rules = []  # an older server, which has no rulesets
    return Found(
        repository=there,
        protection=await _protection(client, base, branch, admin=_admin(there)),
        rules=None if isinstance(rules, No) else rules,
        bypassed=await _bypassed(client, base, [] if isinstance(rules, No) else rules),
        workflow=_seen(await client.get(f"{base}/actions/permissions/workflow", no=HIDDEN)),
        labels=None if isinstance(labels, No) else [str(one.get("name")) for one in labels],
        hooks=None if isinstance(hooks, No) else hooks,
        owners=owners,
        errors=await _errors(client, base, branch) if owners else (),
    )


async def _protection(client: Client, base: str, branch: str, *, admin: bool) -> Payload | None:
    """Classic protection. GitHub answers 404 both where there is none and to whoever may not know."""
    got = await client.get(f"{base}/branches/{quote(branch, safe='')}/protection", no=HIDDEN)
    if isinstance(got, No):
        there = admin or "not protected" in got.message.lower()
        return {} if got.status == NOT_FOUND and there else None
    return _seen(got)


async def _bypassed(client: Client, base: str, rules: Sequence[Payload]) -> Sequence[str] | None:
    """Which rulesets somebody may pass by; GitHub shows that to those who may write to the ruleset."""
    found: list[str] = []
    for number in sorted({int(rule.get("ruleset_id") or 0) for rule in rules} - {0}):
        one = await client.get(f"{base}/rulesets/{number}", no=HIDDEN)
        if isinstance(one, No) or "bypass_actors" not in one:
            return None
        if one["bypass_actors"]:
            found.append(
                f"the ruleset {one.get('name', number)!s} lets {len(one['bypass_actors'])} pass it by"
            )
    return found


async def _owners(client: Client, base: str, branch: str) -> str | None:
    for path in (OWNERS_FILE, "CODEOWNERS", "docs/CODEOWNERS"):  # in GitHub's order
        got = await client.get(f"{base}/contents/{path}?ref={quote(branch, safe='')}", no=HIDDEN)
        if isinstance(got, dict):
            try:
                return base64.b64decode(str(got.get("content", ""))).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
        if isinstance(got, No) and got.status != NOT_FOUND:
            return None
    return ""


async def _errors(client: Client, base: str, branch: str) -> Sequence[str] | None:
    got = await client.get(f"{base}/codeowners/errors?ref={quote(branch, safe='')}", no=HIDDEN)
    if not isinstance(got, dict) or not isinstance(got.get("errors"), list):
        return None
    return [f"line {one.get('line')}: {one.get('kind')}" for one in got["errors"] if isinstance(one, dict)]


def _seen(got: Any) -> Payload | None:
    return got if isinstance(got, dict) else None


def _admin(there: Payload) -> bool:
    return bool((there.get("permissions") or {}).get("admin"))
