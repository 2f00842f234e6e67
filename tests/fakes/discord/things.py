"""People, servers, channels and messages, and how each of them looks as JSON."""

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.discord.refusals import unknown

Json = dict[str, Any]
TEXT, DM, VOICE, STAGE, FORUM = 0, 1, 2, 13, 15
THREADS = (10, 11, 12)
EVERYTHING = (1 << 53) - 1
"""All permissions."""
EPHEMERAL, LOADING, HAS_THREAD, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 5, 1 << 15


@dataclass(slots=True)
class User:
    """A person, or a bot."""

    id: str
    name: str
    bot: bool = False

    def payload(self) -> Json:
        """As others see the account."""
        return {
            "id": self.id,
            "username": self.name,
            "global_name": self.name,
            "discriminator": "0",
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
            "flags": 0,
            "banner": None,
            "accent_color": None,
            "clan": None,
            "primary_guild": None,
        }


@dataclass(slots=True)
class Role:
    """A role of a server."""

    id: str
    name: str
    permissions: int = 0
    position: int = 0
    bot: str = ""
    """The id of the bot for which the server made it."""

    def payload(self) -> Json:
        """As the server lists it."""
        return {
            **({"tags": {"bot_id": self.bot}} if self.bot else {}),
            "id": self.id,
            "name": self.name,
            "permissions": str(self.permissions),
            "flags": 0,
            "position": self.position,
            "color": 0,
            "hoist": False,
            "managed": bool(self.bot),
            "mentionable": False,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        }


@dataclass(slots=True)
class Member:
    """Somebody on a server."""

    user: User
    joined: str
    roles: list[str] = field(default_factory=list)
    nick: str | None = None
    muted_until: str | None = None

    def payload(self, *, with_user: bool = True) -> Json:
        """As the server lists it; messages carry it without the user."""
        common = {
            "roles": [*self.roles],
            "nick": self.nick,
            "joined_at": self.joined,
            "avatar": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "premium_since": None,
            "communication_disabled_until": self.muted_until,
            "banner": None,
        }
        return {**common, "user": self.user.payload()} if with_user else common


@dataclass(slots=True)
class Guild:
    """A server."""

    id: str
    name: str
    owner: User
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, "Channel"] = field(default_factory=dict)
    """Threads too."""
    system: str | None = None
    """The channel in which Discord itself says who came."""
    audit: list[tuple[str, str, str]] = field(default_factory=list)
    """What the bot did to members: what, the id of whom, and the reason that it gave."""

    def payload(self) -> Json:
        """As the REST interface describes it."""
        nothing = ("icon", "splash", "discovery_splash", "banner", "description", "vanity_url_code")
        nowhere = ("afk_channel_id", "rules_channel_id", "public_updates_channel_id")
        levels = ("verification_level", "default_message_notifications", "explicit_content_filter")
        return {
            "id": self.id,
            "name": self.name,
            "owner_id": self.owner.id,
            "system_channel_id": self.system,
            "preferred_locale": "en-US",
            **dict.fromkeys((*nothing, *nowhere, "application_id", "widget_channel_id")),
            **dict.fromkeys((*levels, "mfa_level", "nsfw_level", "system_channel_flags", "premium_tier"), 0),
            "roles": [role.payload() for role in self.roles.values()],
            "emojis": [],
            "stickers": [],
            "features": [],
            "afk_timeout": 300,
            "premium_subscription_count": 0,
            "region": "deprecated",
            "premium_progress_bar_enabled": False,
            "nsfw": False,
            "max_members": 500_000,
        }

    def rank(self, user: User) -> tuple[int, int]:
        """Where somebody's highest role stands; greater is higher, and of two alike the older role is."""
        member = self.members.get(user.id)
        roles = [self.roles[one] for one in (*(member.roles if member else ()), self.id) if one in self.roles]
        return max((role.position, -int(role.id)) for role in roles)

    def permissions(self, user: User) -> int:
        """What somebody may do on the whole server."""
        if user.id == self.owner.id:
            return EVERYTHING
        member = self.members.get(user.id)
        allowed = self.roles[self.id].permissions
        for role in member.roles if member else ():
            allowed |= self.roles[role].permissions if role in self.roles else 0
        return EVERYTHING if allowed & 8 else allowed


@dataclass(slots=True, eq=False)
class Message:
    """A message, as JSON, with what happened to it."""

    data: Json
    channel: "Channel"
    author: User
    contents: list[str] = field(default_factory=list)
    """What it said at first and after each edit."""
    pings: frozenset[str] = frozenset()
    """Whom it woke: ids of users and roles, and `everyone`."""
    nonce: str = ""
    deleted: bool = False

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.data["id"])

    @property
    def content(self) -> str:
        """What it says now."""
        return str(self.data["content"])

    @property
    def ephemeral(self) -> bool:
        """Only one person sees it."""
        return bool(self.data["flags"] & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """It says that the bot is thinking."""
        return bool(self.data["flags"] & LOADING)

    def parts(self) -> list[Json]:
        """All its components, those within others too."""
        found: list[Json] = []
        rest = [*self.data["components"]]
        while rest:
            part = rest.pop(0)
            found.append(part)
            rest[:0] = [*part.get("components", ()), *filter(None, [part.get("accessory")])]
        return found


@dataclass(slots=True, eq=False)
class Channel:
    """A place for messages: on a server, in a thread, or between two."""

    id: str
    kind: int
    name: str
    guild: Guild | None = None
    parent: "Channel | None" = None
    people: dict[str, User] = field(default_factory=dict)
    """Who is in it, for a thread or direct messages."""
    owner: User | None = None
    stamp: str = ""
    archived: bool = False
    locked: bool = False
    auto_archive: int = 1440
    topic: str | None = None
    log: dict[str, Message] = field(default_factory=dict)
    """Every message ever, also deleted ones and those that only one person sees."""

    @property
    def messages(self) -> list[Message]:
        """What everybody can read now, oldest first."""
        return [one for one in self.log.values() if not one.deleted and not one.ephemeral]

    @property
    def ephemeral(self) -> list[Message]:
        """What only one person can read, oldest first."""
        return [one for one in self.log.values() if not one.deleted and one.ephemeral]

    @property
    def is_thread(self) -> bool:
        """Whether it belongs to another channel."""
        return self.kind in THREADS

    def message(self, message_id: str) -> Message:
        """A message that can be read."""
        found = self.log.get(message_id)
        if found is None or found.deleted or found.ephemeral:
            raise unknown("Message", 10008)
        return found

    def payload(self) -> Json:
        """As the REST interface describes it."""
        last = next(reversed(self.messages), None)
        common: Json = {"id": self.id, "type": self.kind, "flags": 0, "last_message_id": last and last.id}
        if self.guild is None:
            common["recipients"] = [person.payload() for person in self.people.values() if not person.bot]
            return common
        common |= {"name": self.name, "guild_id": self.guild.id, "parent_id": self.parent and self.parent.id}
        common |= {"rate_limit_per_user": 0, "last_pin_timestamp": None}
        if not self.is_thread:
            common |= {"position": 0, "permission_overwrites": [], "nsfw": False, "topic": self.topic}
            if self.kind in (VOICE, STAGE):
                common |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
            return common
        count = len(self.messages)
        times = {"archive_timestamp": self.stamp, "create_timestamp": self.stamp}
        state = {"archived": self.archived, "locked": self.locked, "auto_archive_duration": self.auto_archive}
        common |= {"owner_id": self.owner and self.owner.id, "thread_metadata": {**state, **times}}
        return common | {
            "message_count": count,
            "total_message_sent": count,
            "member_count": len(self.people),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """Something that gateway sessions may hear of; `intents` are bits of which one is enough, 0 for everybody."""

    name: str
    data: Json
    intents: int = 0
    guild: Guild | None = None
    message: Message | None = None
