"""Interactions: what is sent to the client, its one answer within three seconds, and fifteen minutes of more."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.discord import messages
from tests.fakes.discord.refusals import Refusal, unknown
from tests.fakes.discord.rest import Call, Route
from tests.fakes.discord.rules import FILE_BYTES
from tests.fakes.discord.state import World
from tests.fakes.discord.things import DM, EPHEMERAL, EVERYTHING, LOADING, Channel, Event, Json, Message, User

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
"""Kinds of interactions."""
PONG, MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, FORM = 1, 4, 5, 6, 7, 8, 9
"""Kinds of answers."""
ANSWER_SECONDS, TOKEN_SECONDS = 3.0, 900.0
"""Until when an interaction has to be answered, and how long its token is good for more."""


@dataclass(slots=True, eq=False)
class Interaction:
    """Something that a person did with the bot, and all that came of it."""

    id: str
    token: str
    kind: int
    user: User
    channel: Channel
    data: Json
    at: float
    source: Message | None = None
    """The message whose component was used."""
    answered: int = 0
    """The kind of the first answer; 0 while there is none."""
    original: Message | None = None
    """The message that the answer made, or changes."""
    followups: list[Message] = field(default_factory=list)
    form: Json = field(default_factory=dict)
    """The form that was opened, as `custom_id`, `title`, `components`."""
    choices: list[Json] = field(default_factory=list)
    """What was suggested while typing."""
    tries: int = 0
    """How often the client tried to answer first."""

    @property
    def done(self) -> bool:
        """Answered, and not with a mere promise."""
        return bool(self.answered) and not (self.original is not None and self.original.loading)

    @property
    def text(self) -> str:
        """What its message says."""
        return self.original.content if self.original is not None else ""


class Interactions:
    """All interactions, by token."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.all: dict[str, Interaction] = {}
        self.routes = (
            Route(
                "POST", "/interactions/{interaction_id}/{interaction_token}/callback", self._answer, open=True
            ),
            Route("POST", _HOOK, self._follow, open=True),
            Route("GET", _HOOK + "/messages/@original", self._show, open=True),
            Route("PATCH", _HOOK + "/messages/@original", self._edit, open=True),
            Route("DELETE", _HOOK + "/messages/@original", self._delete, open=True),
            Route("GET", _HOOK + "/messages/{message_id}", self._show, open=True),
            Route("PATCH", _HOOK + "/messages/{message_id}", self._edit, open=True),
            Route("DELETE", _HOOK + "/messages/{message_id}", self._delete, open=True),
        )

    def begin(
        self, kind: int, user: User, channel: Channel, data: Json, source: Message | None = None
    ) -> Interaction:
        """Let somebody do something, and tell the client."""
        world, guild = self._world, channel.guild
        made = Interaction(
            world.snowflake(), secrets.token_urlsafe(64), kind, user, channel, data, world.clock(), source
        )
        self.all[made.token] = made
        owner = {"0": guild.id} if guild is not None else {"0": "0"}
        payload: Json = {
            "id": made.id,
            "application_id": world.bot.id,
            "type": kind,
            "token": made.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "channel": _place(channel, user),
            "locale": "en-US",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": owner,
            "context": 0 if guild is not None else 1,
            "attachment_size_limit": FILE_BYTES,
            "app_permissions": str(EVERYTHING if guild is None else guild.permissions(world.bot)),
        }
        if guild is not None:
            member = guild.members[user.id].payload() | {"permissions": str(guild.permissions(user))}
            payload |= {"guild_id": guild.id, "guild_locale": "en-US", "member": member}
            payload["guild"] = {"id": guild.id, "locale": "en-US", "features": []}
        else:
            payload["user"] = user.payload()
        if source is not None:
            payload["message"] = messages.shown(source)
        world.emit(Event("INTERACTION_CREATE", payload, 0, guild))
        return made

    def _answer(self, world: World, call: Call) -> Any:
        made = self.all.get(call.parts["interaction_token"])
        if made is None or made.id != call.parts["interaction_id"]:
            raise unknown("interaction", 10062)
        made.tries += 1
        if made.answered:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if world.clock() - made.at > ANSWER_SECONDS:
            raise unknown("interaction", 10062)
        kind, data = call.fields["type"], call.fields.get("data") or {}
        if kind not in _FITTING[made.kind] or (kind in (DEFERRED_UPDATE, UPDATE) and made.source is None):
            raise Refusal(400, 50035, f"Interaction callback type {kind} is invalid here")
        if kind == MESSAGE:
            made.original = self._post(made, data, call)
        elif kind == DEFERRED:
            made.original = self._promise(made, data)
        elif kind in (DEFERRED_UPDATE, UPDATE):
            made.original = made.source
            if kind == UPDATE and made.source is not None:
                messages.edit(world, made.source, data, call.uploads)
        elif kind == FORM:
            made.form = data
        elif kind == CHOICES:
            made.choices = data["choices"]
        made.answered = kind
        return _told(made, kind) if call.query.get("with_response") in ("1", "true", "True") else None

    def _follow(self, world: World, call: Call) -> Any:
        made = self._alive(world, call)
        if made.original is not None and made.original.loading:
            # After a promise the first message keeps it, and stays as private as it was promised.
            return messages.shown(self._keep(made.original, call))
        message = self._post(made, call.fields, call)
        made.followups.append(message)
        return messages.shown(message)

    def _edit(self, world: World, call: Call) -> Any:
        message = self._message(world, call)
        return messages.shown(
            self._keep(message, call)
            if message.loading
            else messages.edit(world, message, call.fields, call.uploads)
        )

    def _show(self, world: World, call: Call) -> Any:
        return messages.shown(self._message(world, call))

    def _delete(self, world: World, call: Call) -> None:
        messages.delete(world, self._message(world, call))

    def _alive(self, world: World, call: Call) -> Interaction:
        made = self.all.get(call.parts["webhook_token"])
        if made is None or call.parts["webhook_id"] != world.bot.id:
            raise unknown("Webhook", 10015)
        if world.clock() - made.at > TOKEN_SECONDS:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        if not made.answered:
            raise unknown("Webhook", 10015)
        return made

    def _message(self, world: World, call: Call) -> Message:
        made = self._alive(world, call)
        wanted = call.parts.get("message_id")
        near = [made.original, made.source, *made.followups]
        found = (
            made.original if wanted is None else next((one for one in near if one and one.id == wanted), None)
        )
        if found is None or found.deleted:
            raise unknown("Message", 10008)
        return found

    def _keep(self, message: Message, call: Call) -> Message:
        """Put something in the place of a promise."""
        body = {name: value for name, value in call.fields.items() if name != "flags"}
        message.data["flags"] &= ~LOADING
        message.contents.clear()
        return messages.edit(self._world, message, body, call.uploads)

    def _post(self, made: Interaction, body: Json, call: Call) -> Message:
        return messages.post(
            self._world, made.channel, self._world.bot, body, call.uploads, extra=self._about(made)
        )

    def _promise(self, made: Interaction, data: Json) -> Message:
        flags = LOADING | int(data.get("flags") or 0) & EPHEMERAL
        extra = self._about(made) | {"flags": flags, "content": ""}
        return messages.post(self._world, made.channel, self._world.bot, {"content": "…"}, extra=extra)

    def _about(self, made: Interaction) -> Json:
        about: Json = {"application_id": self._world.bot.id, "webhook_id": self._world.bot.id}
        who = {"id": made.id, "type": made.kind, "user": made.user.payload()}
        if made.kind == COMMAND:
            about["type"] = 20 if made.data["type"] == 1 else 23
            about["interaction"] = {**who, "name": made.data["name"]}
        metadata: Json = {**who, "authorizing_integration_owners": {}, "name": made.data.get("name", "")}
        if made.source is not None:
            metadata["interacted_message_id"] = made.source.id
        if made.kind == MODAL:
            metadata["triggering_interaction_metadata"] = {**who, "type": COMMAND, "name": ""}
            metadata["triggering_interaction_metadata"] |= {"authorizing_integration_owners": {}}
        return about | {"interaction_metadata": metadata}


_HOOK = "/webhooks/{webhook_id}/{webhook_token}"
_FITTING = {
    COMMAND: {MESSAGE, DEFERRED, FORM},
    COMPONENT: {MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, FORM},
    AUTOCOMPLETE: {CHOICES},
    MODAL: {MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE},
}


def _place(channel: Channel, user: User) -> Json:
    data = channel.payload()
    if channel.kind == DM:
        return {**data, "recipients": [user.payload()], "permissions": str(EVERYTHING)}
    assert channel.guild is not None, "only direct messages are outside of servers"
    return {**data, "permissions": str(channel.guild.permissions(user))}


def _told(made: Interaction, kind: int) -> Json:
    told: Json = {"id": made.id, "type": made.kind}
    if made.original is None:
        return {"interaction": told}
    told["response_message_id"] = made.original.id
    told["response_message_loading"] = made.original.loading
    told["response_message_ephemeral"] = made.original.ephemeral
    if kind not in (MESSAGE, UPDATE):
        return {"interaction": told}
    return {"interaction": told, "resource": {"type": kind, "message": messages.shown(made.original)}}
