"""An answer on its way out: looked through while it streams, or held until it is judged."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from agent.chat.moderation import UNSAFE
from agent.chat.turn import Turn
from agent.guardrails.outgoing import Outgoing
from agent.guardrails.screen import Screen


async def leaving(
    pieces: AsyncGenerator[str, None],
    turn: Turn,
    screen: Screen,
    judge: Callable[[str], Awaitable[str]] | None,
    note: Callable[[str], None],
) -> AsyncGenerator[str, None]:
    """What people may see of an answer, piece by piece.

    Args:
        pieces: The answer as it comes.
        turn: Where it comes from.
        screen: Takes out what may not leave. Before addresses are looked at: hidden signs could hide one.
        judge: Says why an answer is not to be shown; nothing is shown before it has. None: nobody judges.
        note: Hears what was taken out.
    """
    outgoing = Outgoing(lambda: turn.given if turn.outside else None)
    held: list[str] = []
    async with aclosing(pieces):
        async for piece in pieces:
            if clean := outgoing.feed(screen.feed(piece)):
                if judge is None:
                    yield clean
                else:
                    held.append(clean)
    held += [outgoing.feed(screen.end()), outgoing.end()]
    found = [*screen.found]
    if judge is not None and (unsafe := await judge("".join(held))):
        held, found = [UNSAFE], [*found, unsafe]
    if found:
        note(f"Taken out of the answer: {', '.join(found)}.")
    if rest := "".join(held):
        yield rest
