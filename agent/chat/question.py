"""Makes a turn of a question: what a model is shown of it, what it may call, and what is needed of a model."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.calling.answered import Place
from agent.calling.toolbox import Tool, Toolbox
from agent.chat.turn import Turn
from agent.chat.window import Memory, shown, told
from agent.incoming.attached import described
from agent.incoming.wish import Wish
from agent.models.needs import needs_of
from agent.types import Message
from policies.load import AttachmentRules

NO_TOOLS = Toolbox()
_FORCE = {"auto": "", "off": "", "force": "required"}


def turn_of(
    place: Place,
    question: str,
    instructions: str,
    wish: Wish,
    *,
    toolbox: Toolbox,
    tools: Callable[[Toolbox], Sequence[Tool]],
    memory: Memory,
    rules: AttachmentRules,
    pressed: bool,
) -> Turn | str:
    """The turn that answers a question; or a sentence for people, where what is wished for cannot be.

    Args:
        place: Who asks, and where.
        question: What was said, fit to be shown to a model.
        instructions: How to answer.
        wish: How it is to be answered, and what came along.
        toolbox: The tools that there are.
        tools: Those of a toolbox that may be used here.
        memory: What was said and shown before.
        rules: How much may come along.
        pressed: Today's money is nearly used up.
    """
    if not (question.strip() or wish.attachments or wish.before):
        return "There is nothing in that for me to read; say it in words."
    if len(wish.attachments) > rules.most:
        return f"One message takes {rules.most} files; send the others with a later one."
    caller, conversation = place.caller, place.conversation
    read = needs_of(question, pressed=pressed)
    private = wish.private or read.private
    if private:
        toolbox = _without("web", toolbox)
    if not (wish.images or memory.pictures(conversation, caller, private=private)):
        toolbox = _without("vision", toolbox)
    offered = [] if wish.combine or wish.tools == "off" else tools(toolbox)
    first = _FORCE.get(wish.tools)
    if first is None:  # a name, or another one that still works
        first = next(
            (tool.name for tool in offered if wish.tools in (tool.name, *tool.manifest.aliases)), None
        )
    if why := wish.contradiction or _cannot_force(wish.tools, first, offered):
        return why
    mark = secrets.token_hex(8)
    window, heard = memory.led_to(conversation, wish, private=private)
    # What was heard is text from outside, also where the asker said it: nobody knows why it was said.
    every = [*heard, *(one for each in window for one in each.heard)]
    listed = described(wish.attachments, mark, rules.text_chars)
    said = "\n\n".join(
        filter(None, (told(heard, mark), question or "(no words; see what is attached, or stands above)"))
    )
    asked = Message(role="user", text=f"{said}\n\n{listed}" if listed else said, images=wish.images)
    system = [Message(role="system", text=instructions)] if instructions else []
    return Turn(
        messages=[*system, *shown(window, caller, mark, rules.text_chars), asked],
        toolbox=toolbox if offered else NO_TOOLS,
        place=replace(place, private=private),
        specs=tuple(tool.spec for tool in offered),
        # What others said is text from outside, and so is what had a part in an earlier answer, or is attached.
        outside=bool(wish.attachments or every)
        or any(each.outside or each.caller != caller for each in window),
        # Earlier answers went out through the same filter, so what they show may be visited and shown again.
        given=[
            *(text for each in window for text in (each.question, each.answer, *each.sources)),
            *(file.text for each in window for file in each.files),
            *(each.text for each in wish.attachments),
            *(each.text for each in every),
            question,
        ],
        mark=mark,
        force=first or "",
        marked=wish.marked,
        reply_to=window[-1].source if wish.chain and window else "",
        needs=read.model_copy(
            update={
                "private": private,
                "combine": wish.combine,
                "model": wish.model,
                "vision": bool(wish.images),
            }
        ),
    )


def _cannot_force(wished: str, first: str | None, tools: Sequence[Tool]) -> str:
    """Why a tool cannot be called first, as a sentence; empty where it can, or need not."""
    if first == "" or (first and tools):
        return ""
    if not tools:
        return "There are no tools that you may use here, so none can be called; ask without."
    return f"There is no tool {wished[:48]!r} that you may use here; /tools lists them."


def _without(service: str, toolbox: Toolbox) -> Toolbox:
    """The tools that do not use a service."""
    kept = {name: tool for name, tool in toolbox.tools.items() if service not in tool.manifest.uses}
    return replace(toolbox, tools=kept)
