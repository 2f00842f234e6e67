"""An evening on Discord: the whole Theseus with its real gate, the unmodified client, two servers and twenty people.

What everybody could see is kept in `evening.txt`. Where it changes on purpose: `THESEUS_KEEP=1` writes it anew.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.discord.description import Description, Missing, read
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.rest import Judge
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.server import serving as discord
from tests.fakes.discord.things import Channel, Message
from tests.fakes.discord.transcript import Transcript
from tests.fakes.pictures import png
from tests.fakes.scripted import Script, Turn, Use
from tests.fakes.scripted import serving as model
from tests.fakes.world import FAST, World, clone

KEPT = Path(__file__).with_name("evening.txt")
ROLL = "bot/live/roll/feature.py"
RULES = f"{FAST}\n[limits]\neveryone = {{ tokens = 120_000, dollars = 1.0 }}\n"
PEOPLE = (
    "ann", "ben", "cleo", "dora", "emil", "fay", "gus", "hana", "igor", "june",
    "kira", "leo", "mia", "noah", "olga", "paul", "quinn", "rosa", "sven", "tara",
)  # fmt: skip
STORY = "\n\n".join(
    [
        "Once there was a ship whose planks were changed one by one.",
        "```python\nfor plank in ship:\n    plank.replace()\n```",
        *(f"{number}. plank {number} was new by the evening." for number in range(1, 30)),
        "And still it was the same ship.",
    ]
)
SECONDS = 90.0
STEADY = (
    (r" \(\+N (?:ms|s)\)", ""),
    (
        r"(?:docker|bubblewrap)(?: \(?(?:full profile|reduced)\)?)?(?:, reduced protection)?, image sha256:<sha>",
        "<sandbox>",
    ),
    (r"^\|   (?:- note: .*|and \d+ more)$", "|   …"),
    (r"; it was judged with reduced protection", ""),
    (r"^(\|   [✓!✗] \w+ +N s ).*$", r"\1…"),
    (
        r"^\|   (?:[✓!✗] .*|does not hold: .*|\d+ of \d+ hold|-# not held: .*|\d+ requests; .*|\d+ answered, .*)$",
        "|   …",
    ),
    (r"(?:^\|   …\n)+(?=\|   …$)", ""),
)
"""What depends on the sandbox, or on how fast a machine is."""


class Mind(Script):
    """A model that answers what it is asked here, and drafts what it is asked to change."""

    def __init__(self) -> None:
        super().__init__(())

    def next(self, request: dict[str, Any], key: str = "") -> Turn:
        """The turn that answers a request."""
        self.requests.append(request)
        self.keys.append(key)
        tools = [
            tool.get("name") or tool.get("function", {}).get("name") for tool in request.get("tools", ())
        ]
        asked, pictures = _asked(request)
        turn = _draft(asked) if "propose" in tools else _talk(asked, pictures)
        self.taken.append(turn)
        return turn


def _asked(request: dict[str, Any]) -> tuple[str, int]:
    """What was asked last, and how many pictures came with it."""
    said = [each for each in request.get("input") or request["messages"] if each.get("role") == "user"]
    content = said[-1]["content"]
    if isinstance(content, str):
        return content, 0
    pictures = [part for part in content if "image" in part["type"]]
    return "".join(part.get("text", "") for part in content), len(pictures)


def _draft(goal: str) -> Turn:
    edit = {"op": "set_constant", "path": ROLL, "target": "USAGE", "value": '"Try /roll 2d6, sailor."'}
    if "banana" in goal:
        return Turn(text="That is nothing that this code could do.")
    given = {"title": "Greet who rolls", "reason": "It was asked for.", "edits": [edit]}
    return Turn(calls=(Use(name="propose", arguments=given),))


def _talk(asked: str, pictures: int) -> Turn:
    if "story" in asked:
        return Turn(text=STORY, pace=0.03)
    if "slowly" in asked:
        return Turn(text="This was begun before the change, and ends after it, word by word. " * 8, pace=0.05)
    if "everything" in asked:
        return Turn(text="That was a lot to read.", input_tokens=130_000)
    if pictures:
        return Turn(text="A red picture, four wide and three high.")
    if "why" in asked.lower() and "sailor" in asked:
        return Turn(text="Because whoever asked wanted to be greeted; only the text of USAGE changes.")
    return Turn(text=f"You said: {asked.splitlines()[-1]}")


class Evening:
    """Two servers, their people, and what they do, written down as it goes."""

    def __init__(self, server: DiscordServer, world: World) -> None:
        self.server, self.world = server, world
        self.told = Transcript(server, STEADY)
        self.harbour = server.guild("Harbour")
        self.light = server.guild("Lighthouse")
        for name in PEOPLE:
            server.user(name, self.harbour if name < "m" else self.light)
        self.people = {user.name: user for user in server.world.users.values()}
        self.general = server.room(self.harbour, "general")
        self.crew = server.room(self.harbour, "crew")
        self.lamp = server.room(self.light, "lamp")

    async def until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait for something that can be seen on the stand-in."""
        await self.server.until(condition, seconds)

    async def says(self, who: str, place: Channel, text: str, **more: Any) -> Message:
        """Somebody writes, and is answered; the first message of the answer."""
        user = self.people[who]
        message = self.server.say(user, place, text, **more)
        await self.until(lambda: _answer(message))
        await self.until(lambda: _whole(message))
        self.told.look()
        found = _answer(message)
        assert found is not None
        return found

    async def uses(
        self, who: str, place: Channel, command: str, *, look: bool = True, **options: Any
    ) -> Interaction:
        """Somebody uses a command, and is answered. What goes on after that is looked at when it has come to its end."""
        given = "".join(f" {name}:{value}" for name, value in options.items())
        self.told.did(f"{who} uses /{command}{given} in #{place.name}")
        used = self.server.slash(self.people[who], place, command, **options)
        await self.until(lambda: used.done and "-# writing" not in used.text)
        if look:
            self.told.look()
        return used

    async def presses(
        self, who: str, message: Message | None, label: str, *, look: bool = True
    ) -> Interaction:
        """Somebody presses a button, and is answered."""
        assert message is not None
        part = next(one for one in message.parts() if one.get("label") == label)
        self.told.did(f"{who} presses [{label}]")
        used = self.server.click(self.people[who], message, part["custom_id"])
        await self.until(lambda: used.done)
        if look:
            self.told.look()
        return used

    async def allows(self, panel: Message, topic: str, *who: str) -> None:
        """The owner chooses, on the panel of `/setup`, who may do something."""
        self.told.did(f"operator chooses {', '.join(who)} under {topic}")
        owner, part = self.people["operator"], f"setup/{topic}"
        before = len(panel.contents)
        self.server.choose(owner, panel, "setup/topic", topic)
        # Where the topic was shown already, only another edit tells that the choice has been answered.
        await self.until(lambda: len(panel.contents) > before)
        assert any(one.get("custom_id") == part for one in panel.parts())
        self.server.choose(owner, panel, part, *(self.people[one] for one in who))
        await self.until(lambda: len(panel.contents) > before + 1)

    async def is_sure(self, who: str, card: Message, label: str, result: str, shown: str) -> None:
        """Somebody presses a button, and the same one again when asked; then all of it is looked at, when it is over.

        Args:
            who: Who it is.
            card: The card with the button.
            label: What the button says.
            result: What who pressed is told in the end.
            shown: What the card says in the end.
        """
        asked = await self.presses(who, card, label, look=False)
        question = asked.original
        assert question is not None
        self.told.did(question.content.split("\n")[0].split("(")[0].split("`")[0].strip())
        await self.presses(who, question, label, look=False)
        await self.until(lambda: result in question.content)
        await self.until(lambda: shown in str(card.data["embeds"]))


def _answer(question: Message) -> Message | None:
    for one in question.channel.messages:
        if (one.data.get("message_reference") or {}).get("message_id") == question.id and one.author.bot:
            return one
    return None


def _whole(question: Message) -> bool:
    shown = [one for one in question.channel.messages if one.author.bot]
    return bool(shown) and not any("-# writing" in one.content for one in shown)


@asynccontextmanager
async def evening(tmp_path: Path, caches: Path) -> AsyncIterator[Evening]:
    """Everything, from an empty home."""
    try:
        described: Description | None = read()
    except Missing:
        described = None
    judge: Judge = described.faults if described is not None else lambda _call: []
    root = clone(tmp_path / "repo", RULES)
    home = tmp_path / "home"
    home.mkdir()
    (home / "caches").symlink_to(caches)
    async with discord(judge) as server, model("openai", Mind()) as address:
        env = {
            "DISCORD_TOKEN": server.token,
            "THESEUS_DISCORD_API": server.api,
            "OPENAI_API_KEY": "sk-made-up-for-this-evening",
            "OPENAI_BASE_URL": address,
        }
        world = World(root, home, env)
        there = Evening(server, world)
        async with world:
            await server.until(lambda: server.gateway.connected, 60)
            await server.until(lambda: server.world.commands.get(""), 60)
            try:
                yield there
            except BaseException as error:
                there.told.look()
                error.add_note(f"so far:\n{there.told.text()}\n{world.printed()}")
                raise
    assert server.faults.exceeded == 0, "the bot was limited though nobody asked for it"


async def test_an_evening(tmp_path: Path, caches: Path) -> None:
    """People chat, look, ask for a change, have it refused, approve it, watch it go live, take it back, halt and resume."""
    async with evening(tmp_path, caches) as there:
        await settle_in(there)
        await chat(there)
        card = await propose(there)
        await approve(there, card)
        await take_back(there, card)
        await halt(there)
        told = there.told.text()
    if os.environ.get("THESEUS_KEEP"):
        KEPT.write_text(told)
    assert told == KEPT.read_text()


async def settle_in(there: Evening) -> None:
    """The owner says who may do what."""
    there.told.scene("The owner sets it up")
    opened = await there.uses("operator", there.crew, "setup")
    panel = opened.original
    assert panel is not None
    await there.allows(panel, "approve", "ben", "cleo")
    await there.allows(panel, "propose", "ann", "ben")
    await there.allows(panel, "see", "ann", "ben", "cleo")
    there.told.look()
    await there.uses("dora", there.crew, "setup")


async def chat(there: Evening) -> None:
    """Twenty people talk in channels, replies, threads and direct messages."""
    us = f"<@{there.server.bot.id}>"
    there.told.scene("Everybody says hello at once")
    asked = [
        there.server.say(
            there.people[name], there.general if name < "m" else there.lamp, f"{us} hello from {name}"
        )
        for name in PEOPLE
    ]
    await there.until(lambda: all(_answer(one) and _whole(one) for one in asked))
    there.told.look()
    there.told.scene("Replies, a thread, direct messages")
    first = await there.says("ann", there.general, f"{us} my boat is called Argo")
    await there.says("ann", there.general, "and my other boat?", reply_to=first)
    thread = there.server.thread(there.general, there.people["fay"], "about knots")
    await there.says("fay", thread, f"{us} which knot holds?")
    await there.says("tara", there.server.direct(there.people["tara"]), "is this between us?")
    there.told.scene("A long answer grows")
    story = await there.says("gus", there.general, f"{us} tell me a story")
    there.told.did("it was shown in several steps" if len(story.contents) > 1 else "it was shown at once")
    there.told.scene("A picture")
    await there.says("hana", there.general, f"{us} what is on this?", attachments={"flag.png": png()})
    there.told.scene("Somebody has asked for enough today")
    await there.says("igor", there.general, f"{us} read everything there is")
    await there.says("igor", there.general, f"{us} and once more")
    there.told.scene("A command with fields")
    await there.uses("june", there.general, "chat", prompt="hello with fields", tool_calling=False)
    await there.uses("june", there.general, "roll", text="nonsense")


async def propose(there: Evening) -> Message:
    """Somebody may not ask for a change, somebody may; an impossible wish is refused; a good one is opened."""
    there.told.scene("A change is asked for")
    await there.uses("kira", there.crew, "improve", goal="greet who rolls dice")
    wish = "greet who rolls dice like a sailor"
    used = await there.uses("ann", there.crew, "improve", goal=wish, look=False)
    card = used.original
    assert card is not None
    await there.until(
        lambda: any(one.get("label") == "Approve" and not one.get("disabled") for one in card.parts())
    )
    there.told.look()
    await there.presses("ann", card, "Diff")
    await there.presses("kira", card, "Diff")
    await there.presses("kira", card, "Approve")
    await there.presses("ann", card, "Approve")
    return card


async def approve(there: Evening, card: Message) -> None:
    """A maintainer approves while somebody is being answered; the answer ends as it began."""
    us = f"<@{there.server.bot.id}>"
    there.told.scene("It is approved, and comes to life in the middle of a conversation")
    slow = there.server.say(there.people["leo"], there.general, f"{us} speak slowly")
    await there.until(lambda: _answer(slow))
    await there.is_sure("ben", card, "Approve", "is live", "**kept**")
    await there.until(lambda: _whole(slow))
    there.told.look()
    await there.uses("june", there.general, "roll", text="nonsense")
    await there.uses("ann", there.crew, "why")
    await there.uses("ann", there.crew, "proposals")


async def take_back(there: Evening, card: Message) -> None:
    """A maintainer takes it back by the button."""
    there.told.scene("It is taken back")
    await there.is_sure("cleo", card, "Roll back", "is reverted", "Taken back")
    there.told.look()
    await there.uses("june", there.general, "roll", text="nonsense")


async def halt(there: Evening) -> None:
    """The owner halts all self-editing, and allows it again."""
    there.told.scene("Halt and resume")
    await there.uses("dora", there.crew, "halt")
    await there.uses("operator", there.crew, "halt")
    refused = await there.uses("ann", there.crew, "improve", goal="anything", look=False)
    await there.until(lambda: refused.followups and refused.original and refused.original.deleted)
    there.told.look()
    await there.uses("operator", there.crew, "resume")
    await there.uses("operator", there.crew, "status")
