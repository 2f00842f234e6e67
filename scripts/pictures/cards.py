"""Photographs the cards of a proposal's life: what the bot really sends to the stand-in, as Discord would draw it."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from drawn import Json, message, page

from sandbox.profile import Shield, stated
from selfedit import protocol as say
from selfedit.types import Heartbeat, Stage
from tests.discord.crew import aboard
from tests.discord.office import Office
from tests.discord.reviewing import press, pressed, shown, steward_of
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import serving
from tests.fakes.life import FILES, TO_LOOK_AT

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 620
STANDS = say.StatusIs(
    running="7c1f0d92ab34" + "0" * 28,
    main="7c1f0d92ab34" + "0" * 28,
    sandbox="docker, image sha256:4f4f4f4f4f4f",
    protections=stated(
        {
            Shield.NAMESPACE: "start the engine with --userns-remap=default",
            Shield.PATHS: "the list of mounts names the engine's own",
        },
        {},
    ),
    open=1,
    heartbeat=Heartbeat(commit="7c1f0d92ab34", requests=412, p95_ms=38.0, lag_ms=6.0, memory_mb=143.0),
)


async def taken() -> dict[str, list[str]]:
    """What is drawn on each picture."""
    async with serving() as server:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = server.api, yarl.URL(server.gateway.url)
        guild = server.guild("Harbour")
        room = server.room(guild, "improvements")
        ann, ben, kim = (server.user(name, guild) for name in ("ann", "ben", "kim"))
        names = {one.id: one.name for one in (ann, ben, kim)}
        steward = steward_of(ann, ben, kim)
        steward.findings = [TO_LOOK_AT]
        steward.files[1] = FILES

        def draw(data: Json, alone: str = "") -> str:
            return message(data, names, alone)

        steward.answers |= Office(rules=steward.rules).answers
        steward.answers[say.Status] = lambda _: STANDS
        pictures = {}
        async with aboard(server, ann.id, ben.id, kim.id, steward=steward, mind=ScriptedBrain()) as crew:
            used = server.slash(kim, room, "improve", goal="when I roll several dice, show me each of them")
            await server.until(lambda: used.done and used.original and "open for" in str(used.original.data))
            await crew.client.review.settled()
            card = used.original
            if card is None:
                raise RuntimeError("the request was answered by nothing")
            question = await pressed(server, ann, card, "Approve")
            press(server, ann, question, "Approve")
            await server.until(lambda: "2 of 2" in str(card.data["components"]))
            await crew.client.review.settled()
            reading = await pressed(server, ben, card, "Diff")
            pictures["card"] = [draw(card.data)]
            pictures["diff"] = [draw(reading.data, "you")]
            question = await pressed(server, ben, card, "Approve")
            pictures["diff"].append(draw(question.data, "you"))
            press(server, ben, question, "Approve")
            await server.until(lambda: "live, and" in str(card.data))
            await steward.go(1, Stage.KEPT)
            await server.until(lambda: "**kept**" in str(card.data))
            steward.findings = []
            steward.open(2, f"discord:{ben.id}", title="Greet people by the time of day")
            steward.open(3, title="Say which dice are known")
            await steward.go(2, Stage.REJECTED, why="mornings differ by where people are")
            await shown(crew, server, ann, room, 2)
            listed, stands = server.slash(ann, room, "proposals"), server.slash(ann, room, "status")
            await server.until(lambda: listed.done and stands.done)
            panel = server.slash(server.world.owner, room, "setup")
            await server.until(lambda: panel.done)
            for name, told in (("proposals", listed), ("status", stands), ("setup", panel)):
                pictures[name] = [draw(told.original.data, "you")] if told.original else []
        return pictures


def photographed(chromium: str, name: str, drawn: list[str]) -> None:
    """Save one picture; a first look finds out how high the page is."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        tall = "<script>document.title = document.documentElement.scrollHeight</script>"
        source.write_text(page(drawn) + tall, "utf-8")
        base = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        base += ["--disable-sync", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        dumped = subprocess.run(
            [*base, f"--window-size={WIDTH},100", "--dump-dom", source.as_uri()],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        height = int(dumped.partition("<title>")[2].partition("<")[0])
        target = PICTURES / f"{name}.png"
        subprocess.run(
            [*base, f"--window-size={WIDTH},{height}", f"--screenshot={target}", source.as_uri()],
            capture_output=True,
            check=True,
            timeout=120,
        )
        print(f"{target.relative_to(ROOT)}: {WIDTH} x {height}")


def main() -> None:
    """Take them all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    drawn = asyncio.run(taken())
    for name, messages in drawn.items():
        photographed(sys.argv[1], name, messages)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
