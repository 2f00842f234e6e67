"""Holds recorded conversations with live code, with a model that follows a script, and tells how it went.

Whatever could differ between two runs of the same code is the same: chance, the clock, the model. So two
commits that differ here differ in behaviour.
"""

import asyncio
import functools
import gc
import hashlib
import random
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.providers.scripted import Script, ScriptedModel
from agent.providers.scripted import Turn as Scripted
from agent.types import CHARS_A_TOKEN
from bot.conduct import Watch, held_to, left_tasks
from bot.control import commands as control
from bot.feature import ModelFailed, Turn
from bot.generation import Generation, LiveError
from bot.texts import GenerationProblem
from policies.load import Rules, load_rules
from selfedit.gate.trial import MOST_TURNS, Answered

FOLDER = "tests/conversations"
NOW = 1709208000.0
"""The clock of every conversation, in seconds since the epoch: noon of 29 February 2024, in UTC."""
LONGEST_ANSWER = 2000
"""Characters that are told of one answer; Discord takes as many."""
REHEARSAL_SECONDS = 12.0
"""After so long, what was not said yet is not said any more."""
LONGEST_LINE = 200
"""Characters that are told of what was said."""
PATIENCE = 1.25
"""What holds the event loop up is ended later, by this factor, than what merely waits."""
_LEAST_ROUNDS, _MOST_ROUNDS = 2, 9
"""Several rounds tell noise, chance and hoarding from a change."""
_ROUNDS_SECONDS = 0.6
"""A further round is begun only while those before it took less of the processor's time, which a busy machine does not
shorten: caches fill in the first rounds, so that few rounds would take them for hoarding."""
_COMMAND = "{command}"


class Said(BaseModel):
    """One line that somebody says; `{command}` in it: once with each live command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    by: str = "console:ann"
    last: int = 1
    """How often the last character stands there: for very long lines."""


class Conversation(BaseModel):
    """What is said in one place, and what the model says there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    model: tuple[Scripted, ...] | None = None
    """None where there is no model, and people are told `missing`."""
    missing: str = "No language model is set up; set OPENAI_API_KEY and start again."
    turns: tuple[Said, ...]


class Rehearsal:
    """The conversations of a tree."""

    def __init__(self, root: Path) -> None:
        """Read them; none where the tree has none.

        Raises:
            GenerationProblem: One of them makes no sense.
            OSError: One cannot be read.
        """
        self._conversations: dict[str, Conversation] = {}
        seen = hashlib.sha256()
        for path in sorted((root / FOLDER).glob("*.json")):
            data = path.read_bytes()
            seen.update(b"%d %s %d\n" % (len(path.name), path.name.encode(), len(data)) + data)
            try:
                self._conversations[path.stem] = Conversation.model_validate_json(data)
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(map(str, fault["loc"]))
                raise GenerationProblem(
                    f"{FOLDER}/{path.name} is no recorded conversation: {where}: {fault['msg']}"
                ) from None
        self.script = seen.hexdigest() if self._conversations else ""
        """Names exactly these conversations."""

    def hold(
        self, generation: Generation, watch: Watch, seed: str, seconds: float
    ) -> tuple[tuple[Answered, ...], int]:
        """Hold all conversations, several times over.

        Args:
            generation: Answers.
            watch: Notes what it does beside that.
            seed: Chance is the same for the same seed.
            seconds: How long one answer may take.

        Returns:
            How each turn went, and how many blocks of memory each further round leaves taken.

        Raises:
            GenerationProblem: There is too much to say, or an answer left a task running.
        """
        began, worked = time.monotonic(), time.process_time()
        stage = _Stage(generation, watch, seed, seconds, began + REHEARSAL_SECONDS)
        turns: list[Answered] = []
        taken: list[int] = []
        while not taken or self._again(len(taken), time.monotonic() - began, time.process_time() - worked):
            # What is kept of a round is as large as what it replaces, so that the memory counted below is not ours.
            told: list[Answered] = []
            asyncio.run(self._round(stage, told))
            turns = _together(turns, told)
            del told
            gc.collect()
            taken.append(sys.getallocatedblocks())
        growths = [after - before for before, after in pairwise(taken[1:])]
        return tuple(turns), max(0, min(growths, default=0))

    @staticmethod
    def _again(rounds: int, seconds: float, worked: float) -> bool:
        if seconds >= REHEARSAL_SECONDS / (_LEAST_ROUNDS + 1):
            return False  # one that is cut short would tell of nothing
        return rounds < _LEAST_ROUNDS or (rounds < _MOST_ROUNDS and worked < _ROUNDS_SECONDS)

    async def _round(self, stage: "_Stage", turns: list[Answered]) -> None:
        for name, conversation in self._conversations.items():
            turns += await stage.hold(name, conversation)
            if len(turns) > MOST_TURNS:
                raise GenerationProblem(
                    f"the conversations in {FOLDER} have more than {MOST_TURNS} turns; shorten them"
                )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where one round is held."""

    generation: Generation
    watch: Watch
    seed: str
    seconds: float
    until: float

    async def hold(self, name: str, conversation: Conversation) -> list[Answered]:
        """One conversation, from its beginning."""
        model = ScriptedModel(*(conversation.model or ()))
        brain = Brain(
            OneModel(model) if conversation.model is not None else None,
            _rules(),
            missing=conversation.missing,
            failed=ModelFailed,
            clock=lambda: NOW,
        )
        turns = []
        for number, said in enumerate(conversation.turns):
            for line in self._lines(said):
                turn = await self._turn(line, f"{name}-{number}", said.by, name, brain)
                turns.append(turn.model_copy(update=_bill(model.script)))
        return turns

    def _lines(self, said: Said) -> list[str]:
        line = said.says + said.says[-1:] * (said.last - 1)
        if _COMMAND not in line:
            return [line]
        return [line.replace(_COMMAND, name) for name in sorted(self.generation.commands)]

    async def _turn(self, line: str, place: str, by: str, conversation: str, brain: Brain) -> Answered:
        name, text = control.split(line) or (None, line.strip())
        said = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}… ({len(line)} characters)"
        known = name is None or name in self.generation.commands
        if name is not None and not known:
            return Answered(place=place, said=said, known=False)
        chance = random.Random(f"{self.seed} {place} {line}")  # noqa: S311 - the same on both sides is the point
        random.seed(chance.random())
        turn = Turn(
            text=text,
            author=by,
            conversation=conversation,
            commands=self.generation.infos,
            brain=brain.voice(self.generation.toolbox, by, conversation),
            prompts=dict(self.generation.prompts),
            random=chance.random,
            now=NOW,
        )
        answer, error = "", ""
        began = time.perf_counter()
        left = min(self.seconds, self.until - time.monotonic())
        if left <= 0:
            return Answered(place=place, said=said, error="the answers before it took all the time there is")
        with self.watch.noting() as deeds:
            try:
                with held_to(left * PATIENCE):
                    async with asyncio.timeout(left):
                        answer = writable(await self.generation.respond(name, turn))
            except TimeoutError:
                error = f"it was not answered within {left:.1f} s"
            except LiveError as problem:
                error = writable(str(problem))
        ms = (time.perf_counter() - began) * 1000
        if left_over := left_tasks():
            raise GenerationProblem(f"answering {said!r}, it left a task running: {left_over[0]}")
        return Answered(
            place=place,
            said=said,
            answer=_bounded(answer),
            error=error[:LONGEST_ANSWER],
            ms=round(ms, 3),
            deeds=tuple(map(writable, deeds)),
        )


@functools.cache
def _rules() -> Rules:
    """The rules, but that nobody is too fast and that no answer tells how long it took."""
    rules = load_rules()
    limits = rules.limits.model_copy(update={"asks_a_minute": sys.maxsize})
    return rules.model_copy(
        update={"limits": limits, "tools": rules.tools.model_copy(update={"footer": "never"})}
    )


def _bill(script: Script) -> dict[str, int]:
    """What the model was asked since the last bill."""
    asked = sum(len(message["text"]) for request in script.requests for message in request["messages"])
    told = sum(len(turn.text) for turn in script.taken)
    bill = {"requests": len(script.requests), "tokens": (asked + told) // CHARS_A_TOKEN}
    script.requests.clear()
    script.taken.clear()
    return bill


def _together(before: list[Answered], now: list[Answered]) -> list[Answered]:
    """Two rounds in one: the faster time counts, since the slower one is noise; what differs is not steady."""
    if not before:
        return now
    if [turn.key for turn in before] != [turn.key for turn in now]:
        raise GenerationProblem("held twice, the conversations had other turns")
    return [
        old.model_copy(
            update={
                "ms": min(old.ms, new.ms),
                "steady": old.steady and (old.answer, old.error) == (new.answer, new.error),
            }
        )
        for old, new in zip(before, now, strict=True)
    ]


def writable(text: str) -> str:
    """A text that can be written as UTF-8: halves of characters are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _bounded(answer: str) -> str:
    if len(answer) <= LONGEST_ANSWER:
        return answer
    # The hash tells that the rest differs.
    digest = hashlib.sha256(answer.encode()).hexdigest()
    return f"{answer[:LONGEST_ANSWER]}… ({len(answer)} characters, {digest[:8]})"
