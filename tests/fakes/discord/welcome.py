"""What a session is told of the bot and its servers when it begins, and of members when it asks."""

from collections.abc import Iterator, Sequence

from tests.fakes.discord.things import Guild, Json, User

PRESENCES = 1 << 8


def ready(bot: User, guilds: Sequence[Guild], session: str, shard: tuple[int, int], resume_at: str) -> Json:
    """The first event of a session."""
    return {
        "v": 10,
        "user": {**bot.payload(), "verified": True, "mfa_enabled": True, "email": None},
        "session_id": session,
        "resume_gateway_url": resume_at,
        "session_type": "normal",
        "application": {"id": bot.id, "flags": 0},
        "private_channels": [],
        "relationships": [],
        "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
        "_trace": [],
        "shard": [*shard],
    }


def whole(guild: Guild, bot: User, intents: int) -> Json:
    """A server as a session first hears of it."""
    told = guild.members.values() if intents & PRESENCES else [guild.members[bot.id]]
    channels = [channel for channel in guild.channels.values() if not channel.is_thread]
    threads = [one for one in guild.channels.values() if one.is_thread and not one.archived]
    me = {"user_id": bot.id, "join_timestamp": guild.members[bot.id].joined, "flags": 0}
    return {
        **guild.payload(),
        "joined_at": guild.members[bot.id].joined,
        "large": len(guild.members) > 250,
        "member_count": len(guild.members),
        "members": [member.payload() for member in told],
        "channels": [channel.payload() for channel in channels],
        "voice_states": [],
        "presences": [],
        "threads": [
            {**one.payload(), **({"member": {"id": one.id, **me}} if bot.id in one.people else {})}
            for one in threads
        ],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def chunks(guild: Guild, asked: Json, size: int) -> Iterator[Json]:
    """The answers to a request for members (op 8)."""
    ids, query, limit = asked.get("user_ids"), asked.get("query"), asked.get("limit") or 0
    missing: list[str] = []
    if ids is not None:
        wanted = [str(one) for one in ([ids] if isinstance(ids, str | int) else ids)]
        found = [guild.members[one] for one in wanted if one in guild.members]
        missing = [one for one in wanted if one not in guild.members]
    else:
        begun = [one for one in guild.members.values() if one.user.name.startswith(query or "")]
        found = begun[: limit or None]
    cut = [found[at : at + size] for at in range(0, len(found), size)] or [[]]
    for at, members in enumerate(cut):
        answer: Json = {"guild_id": guild.id, "members": [member.payload() for member in members]}
        answer |= {"chunk_index": at, "chunk_count": len(cut), "not_found": missing}
        yield answer | {name: asked[name] for name in ("nonce",) if asked.get(name)}
