"""What Discord takes as a message, beyond the shape of its JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.fakes.discord.refusals import Refusal, invalid
from tests.fakes.discord.things import COMPONENTS_V2, Json

LONGEST = 2000
"""Characters of a message."""
EMBEDS, EMBED_CHARS, FILES, ROWS = 10, 6000, 10, 5
FILE_BYTES = 10 * 1024 * 1024
"""What one attached file may hold on a server without boosts."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way."""

    name: str
    data: bytes
    kind: str = "application/octet-stream"
    index: str = ""
    """What the body calls it."""


def check(body: Json, uploads: Sequence[Upload]) -> None:
    """Refuse a message that is too long, too much, empty, or whose components are not sound."""
    content = body.get("content") or ""
    if len(content) > LONGEST:
        raise invalid("content", "BASE_TYPE_MAX_LENGTH", f"Must be {LONGEST} or fewer in length.")
    embeds, components = body.get("embeds") or (), body.get("components") or ()
    if len(embeds) > EMBEDS:
        raise invalid("embeds", "BASE_TYPE_BAD_LENGTH", f"Must be {EMBEDS} or fewer in length.")
    if sum(map(_length, embeds)) > EMBED_CHARS:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
    if len(uploads) > FILES:
        raise invalid("attachments", "BASE_TYPE_BAD_LENGTH", f"Must be {FILES} or fewer in length.")
    if any(len(upload.data) > FILE_BYTES for upload in uploads):
        raise Refusal(413, 40005, "Request entity too large")
    modern = int(body.get("flags") or 0) & COMPONENTS_V2
    if modern and (content or embeds):
        raise invalid("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Only components.")
    if not modern and (len(components) > ROWS or any(row["type"] != 1 for row in components)):
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", f"Must be {ROWS} or fewer rows of components.")
    if not (content.strip() or embeds or components or uploads or body.get("attachments")):
        raise Refusal(400, 50006, "Cannot send an empty message")
    names = [part["custom_id"] for part in _walk(components) if part.get("custom_id") is not None]
    if len(set(names)) != len(names):
        raise invalid(
            "components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
        )
    if any(not 1 <= len(name) <= 100 for name in names):
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _length(embed: Json) -> int:
    fields = embed.get("fields") or ()
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    texts += [text for one in fields for text in (one["name"], one["value"])]
    return sum(len(text or "") for text in texts)


def _walk(components: Sequence[Json]) -> Iterator[Json]:
    for part in components:
        yield part
        yield from _walk(part.get("components") or ())
        yield from _walk([part["accessory"]] if part.get("accessory") else ())
