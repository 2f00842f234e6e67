"""The stand-in as a test uses it: a server on loopback, what people do on it, and what can be seen of the bot."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.fakes.discord import channels, guilds, members, messages, typed
from tests.fakes.discord.faults import Faults
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL,
    Interaction,
    Interactions,
)
from tests.fakes.discord.rest import API, Judge, Rest
from tests.fakes.discord.rules import Upload
from tests.fakes.discord.state import Clock, World
from tests.fakes.discord.things import TEXT, Channel, Event, Guild, Json, Member, Message, Role, User
from tests.fakes.discord.typed import NotPossible
from tests.fakes.discord.welcome import whole

TOKEN = "MTIz.made-up.token"
EVERYBODY_MAY = (1 << 50) - 1 & ~(1 << 3) & ~(1 << 5)
"""What everybody may do on a server of the stand-in: all but administration and managing the server."""
BUTTON, LINK_BUTTON, SELECTS = 2, 5, (3, 5, 6, 7, 8)


class DiscordServer:
    """A Discord of its own. Made by `serving`."""

    def __init__(self, world: World, judge: Judge, token: str) -> None:
        self.world, self.token = world, token
        self.gateway, self.faults = Gateway(world, token), Faults()
        self.rest, self.interactions = Rest(world, token, self.faults, judge), Interactions(world)
        self.bot, self.until = world.bot, world.until
        world.hear = self.gateway.hear

    @property
    def api(self) -> str:
        """Base address of the REST interface."""
        return self.world.base + API

    # What there is

    def guild(self, name: str, *people: User, owner: User | None = None) -> Guild:
        """Make a server with the bot and these people on it."""
        world = self.world
        guild = Guild(world.snowflake(), name, owner or world.owner)
        guild.roles[guild.id] = Role(guild.id, "@everyone", EVERYBODY_MAY)
        world.guilds[guild.id] = guild
        for user in (self.bot, guild.owner, *people):
            guild.members[user.id] = Member(user, world.now())
        return guild

    def bring(self, guild: Guild) -> None:
        """Tell sessions of a server to which somebody brought the bot just now."""
        self.world.emit(Event("GUILD_CREATE", whole(guild, self.bot, 0), 1, guild))

    def team(self, *people: User, invited: Sequence[User] = ()) -> None:
        """Let a team own the application: the first owns the team, the others develop in it; some were only invited."""
        number, owner = self.world.snowflake(), people[0]
        roles = {person.id: "developer" for person in (*people[1:], *invited)}
        members = [
            {
                "user": person.payload(),
                "team_id": number,
                "membership_state": 1 if person in invited else 2,
                "role": roles.get(person.id, "admin"),
                "permissions": ["*"],
            }
            for person in (*people, *invited)
        ]
        about = {"id": number, "name": "Crew", "icon": None, "owner_user_id": owner.id, "members": members}
        self.world.application |= {"team": about}

    def user(
        self, name: str, guild: Guild | None = None, *, roles: Sequence[Role] = (), bot: bool = False
    ) -> User:
        """Make somebody, on a server if one is named."""
        user = self.world.user(name, bot=bot)
        if guild is not None:
            self.join(guild, user, *roles)
        return user

    def join(self, guild: Guild, user: User, *roles: Role) -> Member:
        """Let somebody come to a server."""
        member = Member(user, self.world.now(), [role.id for role in roles])
        guild.members[user.id] = member
        data = {**member.payload(), "guild_id": guild.id}
        self.world.emit(Event("GUILD_MEMBER_ADD", data, 1 << 1, guild))
        return member

    def role(self, guild: Guild, name: str, permissions: int = 0) -> Role:
        """Make a role."""
        role = Role(self.world.snowflake(), name, permissions, len(guild.roles))
        guild.roles[role.id] = role
        data = {"guild_id": guild.id, "role": role.payload()}
        self.world.emit(Event("GUILD_ROLE_CREATE", data, 1, guild))
        return role

    def allow(self, guild: Guild, permissions: int) -> None:
        """Change what everybody may do on a server."""
        everyone = guild.roles[guild.id]
        everyone.permissions = permissions
        data = {"guild_id": guild.id, "role": everyone.payload()}
        self.world.emit(Event("GUILD_ROLE_UPDATE", data, 1, guild))

    def room(self, guild: Guild, name: str, kind: int = TEXT) -> Channel:
        """Make a channel on a server."""
        room = Channel(self.world.snowflake(), kind, name, guild)
        self.world.channels[room.id] = guild.channels[room.id] = room
        self.world.emit(Event("CHANNEL_CREATE", room.payload(), 1, guild))
        return room

    def thread(
        self,
        parent: Channel,
        starter: User,
        name: str,
        *,
        below: Message | None = None,
        with_bot: bool = True,
    ) -> Channel:
        """Let somebody open a thread, below a message if one is named."""
        made = channels.thread(self.world, parent, starter, name, id_=below.id if below is not None else "")
        if with_bot:
            channels.join(self.world, made, self.bot)
        return made

    def remove(self, channel: Channel) -> None:
        """Let somebody delete a channel, or a thread."""
        channels.remove(self.world, channel)

    def send_away(self, guild: Guild) -> None:
        """Let somebody remove the bot from a server."""
        self.world.emit(Event("GUILD_DELETE", {"id": guild.id}, 1, guild))
        del guild.members[self.bot.id]

    def direct(self, user: User) -> Channel:
        """The direct messages between somebody and the bot."""
        there = len(self.world.channels)
        channel = self.world.direct(user)
        if len(self.world.channels) > there:
            self.world.emit(Event("CHANNEL_CREATE", channel.payload(), 0))
        return channel

    def channel(self, channel_id: int | str) -> Channel:
        """A channel by its id."""
        return self.world.channel(str(channel_id))

    # What people do

    def say(
        self,
        author: User,
        channel: Channel,
        text: str,
        *,
        attachments: Mapping[str, bytes] | None = None,
        reply_to: Message | None = None,
        ping: bool = True,
    ) -> Message:
        """Let somebody write; `ping` says whether a reply wakes whom it answers."""
        body: Json = {"content": text}
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to.id}
            body["allowed_mentions"] = {"parse": ["users", "roles"], "replied_user": ping}
        uploads = [Upload(name, data) for name, data in (attachments or {}).items()]
        return messages.post(self.world, channel, author, body, uploads)

    def edit(self, message: Message, text: str) -> None:
        """Let the author of a message change it."""
        messages.edit(self.world, message, {"content": text})

    def delete(self, *several: Message) -> None:
        """Let somebody take messages away, more than one at once as a moderator does."""
        messages.delete(self.world, *several)

    def react(self, user: User, message: Message, emoji: str, *, on: bool = True) -> None:
        """Let somebody put a reaction under a message, or take it back."""
        messages.react(self.world, message, user, emoji, on=on)

    def type(self, user: User, channel: Channel) -> None:
        """Let somebody begin to write."""
        channels.type_in(self.world, channel, user)

    def slash(self, user: User, place: Channel, command: str, /, **options: Any) -> Interaction:
        """Let somebody use a slash command: `group part` for one within a group."""
        return self._use(COMMAND, user, place, command, options)

    def autocomplete(
        self, user: User, place: Channel, command: str, /, *, typing: str, **options: Any
    ) -> Interaction:
        """Let somebody type the option named `typing`, and ask the bot what to suggest."""
        return self._use(AUTOCOMPLETE, user, place, command, options, focused=typing)

    def menu(self, user: User, place: Channel, name: str, target: Message | User) -> Interaction:
        """Let somebody choose an entry of a context menu."""
        kind = guilds.ON_MESSAGE if isinstance(target, Message) else guilds.ON_USER
        command = typed.find(self.world, place.guild, kind, name)
        resolved: Json = {}
        target_id = typed.resolve(self.world, place.guild, target, resolved)
        data = {"id": command["id"], "name": name, "type": kind, "target_id": target_id, "resolved": resolved}
        return self.interactions.begin(COMMAND, user, place, data)

    def click(self, user: User, message: Message, custom_id: str) -> Interaction:
        """Let somebody press a button."""
        part = self._part(message, custom_id)
        if part["type"] != BUTTON or part["style"] == LINK_BUTTON:
            raise NotPossible(f"{custom_id!r} is no button that asks the bot")
        data = {"custom_id": custom_id, "component_type": BUTTON, "id": part["id"]}
        return self.interactions.begin(COMPONENT, user, message.channel, data, message)

    def choose(self, user: User, message: Message, custom_id: str, *values: Any) -> Interaction:
        """Let somebody choose in a list: texts for a list of texts, else users, roles or channels."""
        part = self._part(message, custom_id)
        if part["type"] not in SELECTS:
            raise NotPossible(f"{custom_id!r} is no list")
        if not part.get("min_values", 1) <= len(values) <= part.get("max_values", 1):
            raise NotPossible(f"{custom_id!r} does not take {len(values)} values")
        offered = [option["value"] for option in part.get("options") or ()]
        if offered and (wrong := sorted(set(values) - set(offered))):
            raise NotPossible(f"{custom_id!r} offers {offered}, not {wrong}")
        resolved: Json = {}
        guild = message.channel.guild
        chosen = [one if offered else typed.resolve(self.world, guild, one, resolved) for one in values]
        data = {"custom_id": custom_id, "component_type": part["type"], "id": part["id"], "values": chosen}
        data |= {"resolved": resolved} if resolved else {}
        return self.interactions.begin(COMPONENT, user, message.channel, data, message)

    def modal(self, user: User, opened: Interaction, /, **values: Any) -> Interaction:
        """Let somebody fill in the form that an interaction opened, and send it."""
        if not opened.form or opened.user is not user:
            raise NotPossible(f"no form is open for {user.name}")
        rest = dict(values)
        parts = [_filled(part, rest) for part in opened.form["components"]]
        if rest:
            raise NotPossible(f"the form has no field {sorted(rest)}")
        data = {"custom_id": opened.form["custom_id"], "components": parts}
        return self.interactions.begin(MODAL, user, opened.channel, data, opened.source)

    def _use(
        self,
        kind: int,
        user: User,
        place: Channel,
        name: str,
        options: Mapping[str, Any],
        *,
        focused: str = "",
    ) -> Interaction:
        first, *path = name.split()
        command = typed.find(self.world, place.guild, guilds.CHAT, first)
        data = typed.fill(self.world, place.guild, command, path, options, focused=focused)
        return self.interactions.begin(kind, user, place, data)

    def _part(self, message: Message, custom_id: str) -> Json:
        parts = message.parts()
        for part in parts:
            if part.get("custom_id") == custom_id:
                if message.deleted or part.get("disabled"):
                    raise NotPossible(f"{custom_id!r} cannot be used any more")
                return part
        names = [part["custom_id"] for part in parts if part.get("custom_id")]
        raise NotPossible(f"the message has no {custom_id!r}; it has {names}")


def _filled(part: Json, values: dict[str, Any]) -> Json:
    """A part of a form with what somebody put in."""
    made: Json = {name: part[name] for name in ("type", "id") if name in part}
    if "components" in part:
        return made | {"components": [_filled(one, values) for one in part["components"]]}
    if "component" in part:
        return made | {"component": _filled(part["component"], values)}
    name = part.get("custom_id")
    if name is None:
        return made
    if name not in values and part.get("required", True):
        raise NotPossible(f"the form needs {name!r}")
    value = values.pop(name, "" if part["type"] == 4 else [])
    return made | {"custom_id": name, ("value" if part["type"] == 4 else "values"): value}


@asynccontextmanager
async def serving(
    judge: Judge = lambda _call: [], *, token: str = TOKEN, clock: Clock | None = None
) -> AsyncIterator[DiscordServer]:
    """A stand-in that listens on loopback.

    Raises:
        AssertionError: A request did not fit Discord's description, or the stand-in itself failed.
    """
    world = World(clock) if clock is not None else World()
    server = DiscordServer(world, judge, token)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_get("/gateway/", server.gateway.connect)
    server.rest.add(app, [*server.interactions.routes, *guilds.ROUTES, *members.ROUTES, *channels.ROUTES])
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        world.base = f"http://{host}:{port}"
        yield server
    finally:
        server.gateway.drop()
        await runner.cleanup()
    assert not server.rest.failures, f"the stand-in failed: {server.rest.failures}"
    assert not server.rest.wrong, "requests that Discord would not take:\n" + "\n".join(server.rest.wrong)
