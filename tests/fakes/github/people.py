"""Who asks: tokens, Apps and their keys; and the operations about accounts."""

import base64
import functools
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.github import shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route
from tests.fakes.github.state import TOKEN_SECONDS, App, InstallationToken, World
from tests.fakes.github.things import Account, Json

LONGEST = 600
"""Seconds ahead that a key's word of an App may last."""
PERMISSIONS = {
    "actions": "read",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What the App of Theseus may do."""


def make_app(world: World, slug: str) -> tuple[App, str]:
    """Make an App that is installed on the repository, and its private key as PEM text."""
    public, pem = _keys(slug)
    bot = world.account(f"{slug}[bot]", "write", kind="Bot")
    made = App(world.id(), slug, slug.capitalize(), bot, world.id(), public, dict(PERMISSIONS))
    world.apps[made.id] = made
    return made, pem.decode()


@functools.cache
def _keys(slug: str) -> tuple[bytes, bytes]:
    """The public and the private key of an App, as PEM: the same in a whole process, because making one takes its time."""
    del slug
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public, pem


def token_of(headers: Mapping[str, str]) -> str:
    """The token that a request carries, in whichever way; empty where there is none."""
    kind, _, rest = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest).decode().partition(":")[2]
        except ValueError:
            return ""
    return rest.strip() if kind.lower() in ("token", "bearer") else ""


def recognise(world: World, request: Request) -> None:
    """Find out who asks.

    Raises:
        Refusal: A token is not known, or has expired.
    """
    token = token_of(request.headers)
    if not token:
        return
    if token.count(".") == 2:
        request.app = _app_of(world, token)
        return
    found = world.holder(token)
    if found is None:
        raise Refusal(401, "Bad credentials")
    if isinstance(found, Account):
        request.by = found
    else:
        request.by, request.app, request.permissions = found.app.bot, found.app, found.permissions


def _app_of(world: World, token: str) -> App:
    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
        app = world.apps[int(claimed["iss"])]
        said = jwt.decode(
            token,
            app.public_key,
            algorithms=["RS256"],
            options={"require": ["exp", "iat"], "verify_exp": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, KeyError, ValueError) as why:
        raise Refusal(401, "A JSON web token could not be decoded") from why
    now = world.clock().timestamp()
    if said["exp"] < now - 5:
        raise Refusal(
            401, "'Expiration time' claim ('exp') must be a numeric value representing the future time"
        )
    if said["iat"] > now + 5:
        raise Refusal(
            401, "'Issued at' claim ('iat') must be an Integer representing the time of the assertion"
        )
    if said["exp"] > now + LONGEST + 5:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _as_app(request: Request) -> App:
    if request.app is None or request.by is not None:
        raise Refusal(401, "A JSON web token could not be decoded")
    return request.app


def _make_token(world: World, request: Request) -> Any:
    app = _as_app(request)
    if request.number("installation_id") != app.installation:
        raise Refusal(404, "Not Found")
    said: Json = request.body or {}
    wanted = said.get("permissions") or app.permissions
    if wrong := [
        name for name, access in wanted.items() if app.permissions.get(name) not in ("write", access)
    ]:
        raise Refusal(
            422, f"The permissions requested are not granted to this installation: {', '.join(wrong)}"
        )
    expires = world.clock() + timedelta(seconds=TOKEN_SECONDS)
    made = InstallationToken("ghs_" + secrets.token_hex(18), app, expires, dict(wanted))
    world.tokens[made.token] = made
    return {
        "token": made.token,
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "permissions": made.permissions,
        "repository_selection": "selected",
    }


def _app(world: World, request: Request) -> Any:
    return shapes.app(world, _as_app(request)) | {"installations_count": 1}


def _by_slug(world: World, request: Request) -> Any:
    for app in world.apps.values():
        if app.slug == request.parts["app_slug"]:
            return shapes.app(world, app)
    raise Refusal(404, "Not Found")


def _installation(world: World, request: Request) -> Any:
    app = _as_app(request)
    if "installation_id" in request.parts and request.number("installation_id") != app.installation:
        raise Refusal(404, "Not Found")
    return _installed(world, app)


def _installed(world: World, app: App) -> Json:
    url = f"{world.base}/api/v3"
    return {
        "id": app.installation,
        "account": shapes.user(world, world.owner),
        "repository_selection": "selected",
        "access_tokens_url": f"{url}/app/installations/{app.installation}/access_tokens",
        "repositories_url": f"{url}/installation/repositories",
        "html_url": f"{world.base}/organizations/{world.owner.login}/settings/installations/{app.installation}",
        "app_id": app.id,
        "app_slug": app.slug,
        "client_id": f"Iv1.{app.id}",
        "target_id": world.owner.id,
        "target_type": "Organization",
        "permissions": app.permissions,
        "events": ["pull_request"],
        "created_at": world.created,
        "updated_at": world.created,
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }


def _installations(world: World, request: Request) -> Page:
    return Page([_installed(world, _as_app(request))])


def _me(world: World, request: Request) -> Any:
    who = request.who
    if request.app is not None:
        raise Refusal(403, "Resource not accessible by integration")
    return _public(world, who)


def _public(world: World, who: Account) -> Json:
    empty = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio"))
    counts: Json = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = {"created_at": world.created, "updated_at": world.created}
    return shapes.user(world, who) | empty | counts | times | {"blog": ""}


def _user(world: World, request: Request) -> Any:
    found = world.accounts.get(request.parts["username"].lower())
    if found is None:
        raise Refusal(404, "Not Found")
    return _public(world, found)


def _by_id(world: World, request: Request) -> Any:
    number = request.number("account_id")
    found = next((one for one in world.accounts.values() if one.id == number), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return _public(world, found)


def _permission(world: World, request: Request) -> Any:
    request.need("read", "metadata:read")
    found = world.accounts.get(request.parts["username"].lower())
    if found is None:
        raise Refusal(404, f"{request.parts['username']} is not a user")
    short = {"maintain": "write", "triage": "read"}.get(found.permission, found.permission)
    user = shapes.user(world, found) | {
        "permissions": shapes.permissions(found),
        "role_name": found.permission,
    }
    return {"permission": short, "role_name": found.permission, "user": user}


def _collaborators(world: World, request: Request) -> Page:
    request.need("write", "metadata:read")
    every = [one for one in world.accounts.values() if one.may("read") and one.kind == "User"]
    return Page(
        [
            shapes.user(world, one) | {"permissions": shapes.permissions(one), "role_name": one.permission}
            for one in every
        ]
    )


def _collaborates(world: World, request: Request) -> None:
    request.need("read", "metadata:read")
    found = world.accounts.get(request.parts["username"].lower())
    if found is None or not found.may("read"):
        raise Refusal(404, "Not Found")


def routes() -> list[Route]:
    """The operations."""
    return [
        Route("GET", "/user", _me),
        Route("GET", "/users/{username}", _user),
        Route("GET", "/user/{account_id}", _by_id),
        Route("GET", "/app", _app),
        Route("GET", "/apps/{app_slug}", _by_slug),
        Route("GET", "/app/installations", _installations),
        Route("GET", "/app/installations/{installation_id}", _installation),
        Route("POST", "/app/installations/{installation_id}/access_tokens", _make_token, 201),
        Route("GET", REPO + "/installation", _installation),
        Route("GET", REPO + "/collaborators/{username}/permission", _permission),
        Route("GET", REPO + "/collaborators/{username}", _collaborates, 204),
        Route("GET", REPO + "/collaborators", _collaborators),
    ]
