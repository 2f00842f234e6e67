"""How answers look on Discord: footer, limits, and texts of every kind on their way through it."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from bot.discord.conversation.layout import lay_out, units
from policies.load import Quota
from tests.discord.clients import Listener, connected
from tests.discord.talking import footer, talking
from tests.discord.test_layout import answers, is_sent_whole_and_fit
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User

EXAMPLES = 2_000
"""Generated answers that are laid out."""
SAMPLE = 40
"""Generated answers that are sent for real; each takes some requests."""


async def test_the_footer_stands_below_in_small_letters(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Model and seconds are told in a line that Discord shows small, and are no part of what is remembered."""
    async with talking(server, tmp_path, "north", "cold", rules=footer("always")) as talk:
        _, told = await talk.ask(ann, room, "where to sail?")
        answer, _, below = told.content.partition("\n\n")
        assert answer == "north"
        assert below.startswith("-# scripted · ")
        await talk.ask(ann, room, "how is it there?")
        assert talk.shown == ["where to sail?", "north", "how is it there?"]


async def test_who_has_used_up_the_day_is_told_when_it_works_again(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """No model is asked; the moment is one that Discord shows each in their own time."""
    rules = footer("never")
    limits = rules.limits.model_copy(update={"everyone": Quota(tokens=1, dollars=1.0)})
    async with talking(server, tmp_path, "north", rules=rules.model_copy(update={"limits": limits})) as talk:
        _, told = await talk.ask(ann, room, "where to sail?")
        assert told.content.startswith("Sorry, today's budget for language models is used up for you.")
        assert "<t:" in told.content
        assert talk.model.script.requests == []


async def test_who_asks_too_often_is_told_politely(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """One question more than a minute allows gets a notice, with the moment from which on it works again."""
    rules = footer("never")
    limits = rules.limits.model_copy(update={"asks_a_minute": 1})
    async with talking(server, tmp_path, "north", rules=rules.model_copy(update={"limits": limits})) as talk:
        await talk.ask(ann, room, "where to sail?")
        _, told = await talk.ask(ann, room, "and then?")
        assert told.content.startswith("That is a little fast for me, sorry. It works again <t:")
        assert len(talk.model.script.requests) == 1


@settings(max_examples=EXAMPLES)
@given(answers)
def test_two_thousand_generated_answers_leave_whole_and_fit(text: str) -> None:
    """Fences, tables, emoji, scripts from right to left, 20,000 characters, mentions, invitations and keys, all mixed."""
    is_sent_whole_and_fit(text)


@pytest.mark.parametrize(
    "sign",
    ["🇩🇪", "1️⃣", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "नि", "e\u0301\u0327"],
    ids=["flag", "keycap", "flag of a region", "vowel sign", "accents"],
)
@pytest.mark.parametrize("before", ["", "x", "xx"])
def test_no_sign_is_cut_within(sign: str, before: str) -> None:
    """What people see as one character is in one message, however long a line without spaces is."""
    often = 6_000 // units(sign)
    messages = lay_out(before + sign * often).messages
    assert sum(one.count(sign) for one in messages) == often


@pytest.mark.parametrize(
    "form",
    [
        "<:smile:123456789012345678>",
        "<t:1700000000:R>",
        "</chat ask:123456789012345678>",
        "<#123456789012345678>",
        "||what is to be hidden||",
        "https://discord.gg/abc",
    ],
)
def test_no_form_of_discord_is_cut_within(form: str) -> None:
    """An emoji, a time, a command, a channel, what is hidden, an invitation: each is in one message, also without spaces around it."""
    messages = lay_out(("字" * 40 + form) * 60).messages
    shown = "<https://discord.gg/abc>" if "discord.gg" in form else form
    assert sum(one.count(shown) for one in messages) == 60


@pytest.mark.parametrize(
    "invitation",
    [
        "discord.gg/abc",
        "DISCORD.GG/abc",
        "https://discord.com:443/invite/abc",
        "https://discord.com//invite/abc?event=1",
        "discord.gg/invite/abc",
        "dis\x00cord.gg/abc",
        "https://ptb.discordapp.com/invite/abc",
    ],
)
def test_an_invitation_shows_no_card_however_it_is_spelled(invitation: str) -> None:
    """Its code stays, as a link in brackets."""
    assert lay_out(f"come to {invitation} now").messages == ("come to <https://discord.gg/abc> now",)


def test_a_key_is_found_also_where_it_hangs_on_to_an_invitation() -> None:
    """What looks like a credential only once the invitation behind it stands in brackets does not leave."""
    (message,) = lay_out(f"AKIA{'ABCD1234' * 2}discord.gg/abc").messages
    assert "AKIA" not in message
    assert message.endswith("<https://discord.gg/abc>")


async def test_generated_answers_pass_discords_own_checks(server: DiscordServer, room: Channel) -> None:
    """A sample of every kind of text is taken by the service as it is laid out, and nobody is woken by it."""
    texts: list[str] = []

    @settings(max_examples=SAMPLE)
    @given(answers)
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    sent: list[str] = []
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        for text in texts:
            for piece in lay_out(text).messages:
                await place.send(piece)
                sent.append(piece)
    assert [one.content for one in room.messages] == sent
    assert all(one.pings == frozenset() for one in room.messages)
