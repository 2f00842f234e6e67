"""How answers look on Discord: footer, limits, and texts of every kind on their way through it."""

from pathlib import Path

from hypothesis import given, settings

from bot.messages import lay_out
from policies.load import Quota
from tests.bot.test_messages_layout import answers, is_sent_whole_and_fit
from tests.discord.clients import Listener, connected
from tests.discord.talking import footer, talking
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
