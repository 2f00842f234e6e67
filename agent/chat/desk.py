"""Answers people's commands about tools, costs, and what was said; no model is asked."""

from collections.abc import Sequence
from dataclasses import replace

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Tool, Toolbox
from agent.chat import reports, telling
from agent.chat.recall import Recall
from agent.chat.reports import Estimate
from agent.chat.window import Memory
from agent.declared.made import Made
from agent.guardrails.screen import Screen
from agent.ports import Models
from agent.records.accounts import Accounts
from agent.records.turns import Turns, TurnsProblem
from agent.records.usage import UNUSED
from agent.types import CHARS_A_TOKEN, RECKONED, ToolCall
from policies.access import least_level, level_of
from policies.limits import DAY, Spent, day_of
from policies.load import Rules

HISTORY, MOST_HISTORY = 5, 50
"""Exchanges, and calls."""
USAGE_DAYS, MOST_DAYS = 30, 90
_ROUTES = 100
"""So many of the newest are looked at for models whose price nobody knows."""
_NO_FILE = "Nothing is kept on disk here, so there is nothing to show."


class Desk:
    """What people can ask about."""

    def __init__(
        self,
        rules: Rules,
        *,
        models: Models | None,
        accounts: Accounts,
        calls: Calls,
        turns: Turns | None,
        made: Made | None,
        memory: Memory,
        recall: Recall,
        hidden: Sequence[str],
    ) -> None:
        """Put it together.

        Args:
            rules: Who may see and do what.
            models: The models; None where there is none.
            accounts: What was spent, and how often somebody asked.
            calls: Runs a tool that is tried by hand.
            turns: Where what was said and done is kept; None: nowhere.
            made: Tools that people made of data; None: there are none.
            memory: What a model would be shown of what was said.
            recall: Forgets what was said.
            hidden: The process's own keys, which no answer may hold.
        """
        self._rules = rules
        self._models = models
        self._accounts = accounts
        self._calls = calls
        self._turns = turns
        self._made = made
        self._memory = memory
        self._recall = recall
        self._hidden = tuple(hidden)
        self._met: set[tuple[str, str]] = set()

    def meet(self, offered: Sequence[Tool]) -> None:
        """Note since when tools are offered; done once for each version."""
        for one in offered:
            key = (one.name, one.manifest.version)
            if key not in self._met and self._turns is not None:
                self._met.add(key)
                self._turns.meet(*key)

    async def answer(
        self, name: str, rest: str, who: Place, toolbox: Toolbox, offered: Sequence[Tool]
    ) -> str:
        """Answer one command.

        Args:
            name: The command.
            rest: What follows it.
            who: Who says it, and where.
            toolbox: The tools of the generation that serves.
            offered: Those that somebody may use here, tools made of data included.
        """
        match name:
            case "models":
                return telling.models(self._models.catalogue if self._models is not None else ())
            case "forget":
                return self._forget(rest, who)
            case "tools":
                return self._tools(rest, who, offered)
            case "tool":
                return await self._tool(rest, who, toolbox, offered)
            case "cost":
                return self._cost(who, offered)
        if self._turns is None:
            return _NO_FILE
        if name == "history":
            return self._history(rest, who, self._turns)
        if not self._maintains(who):
            return f"Only maintainers may see what everybody did; /{name} is for them."
        if name == "usage":
            days = _number(rest, USAGE_DAYS, MOST_DAYS)
            return reports.usage(days, self._turns.usage(self._calls.now - days * DAY))
        return reports.calls(self._turns.calls(_number(rest, HISTORY * 2, MOST_HISTORY)))

    def _tools(self, rest: str, who: Place, offered: Sequence[Tool]) -> str:
        wanted = rest.removeprefix("info ").strip()
        if not wanted:
            return telling.tools(offered)
        one = next((tool for tool in offered if wanted in (tool.name, *tool.manifest.aliases)), None)
        if one is None:
            return f"There is no tool {wanted[:48]!r} that you may use here; /tools lists them."
        if (over := self._accounts.ask(who.caller)) is not None:  # adding up all its calls takes a while
            return over.told(self._calls.now)
        used, since = UNUSED, 0.0
        if self._turns is not None:
            used, since = self._turns.used(one.name), self._turns.met(one.name)
        today = self._calls.used((day_of(self._calls.now), who.caller, one.name))
        least = least_level(one.wanted, self._rules)
        return reports.tool(one, used, since, least, (today, self._calls.most_a_day(one)))

    async def _tool(self, rest: str, who: Place, toolbox: Toolbox, offered: Sequence[Tool]) -> str:
        if self._made is None:
            return "Tools made of data cannot be kept here; the operator finds the reason in the log."
        what, more = [*rest.split(None, 1), "", ""][:2]
        if what == "create" and (over := self._accounts.ask(who.caller)) is not None:
            return over.told(self._calls.now)
        if what != "try":
            return self._made.answer(rest, who, toolbox)
        name, arguments = [*more.split(None, 1), "", ""][:2]
        one = next((tool for tool in offered if tool.name == name), None)
        if one is None:
            return f"There is no tool {name[:48]!r} that you may use here; /tools and /tool list list them."
        if (over := self._accounts.ask(who.caller)) is not None:
            return over.told(self._calls.now)
        purse, wanted = self._accounts.purse(who.caller, who.conversation), Spent(0, one.manifest.cost)
        if (over := self._accounts.reserve(purse, wanted)) is not None:
            return over.told(self._calls.now)
        call = ToolCall(id="by_hand", name=one.name, arguments=arguments.strip() or "{}")
        actual = wanted  # of one that was cancelled nobody knows how far it got
        try:
            # A person's own wish: there is no text from outside that could have put it into a model's head.
            answered = await self._calls.run(Toolbox({one.name: one}), call, who)
            actual = Spent(0, answered.cost)
        finally:
            self._accounts.settle(purse, wanted, actual)
        screen = Screen(self._hidden, "", self._rules.answers.quoted_words)
        text = screen.feed(answered.text) + screen.end()
        return f"{one.name}, {answered.outcome}, {answered.seconds:.1f} s:\n{text}"

    def _cost(self, who: Place, offered: Sequence[Tool]) -> str:
        last = None
        if self._turns is not None:
            newest = self._turns.newest(who.conversation, MOST_HISTORY)
            last = next((kept for kept in reversed(newest) if kept.caller == who.caller), None)
        today = self._accounts.today(self._accounts.purse(who.caller, who.conversation))
        told = reports.cost(today, self._estimate(who.conversation, offered), last)
        guessed = telling.guessed(self._models.why(_ROUTES)) if self._models is not None else ""
        return f"{told}\n{guessed}".rstrip()

    def _estimate(self, conversation: str, offered: Sequence[Tool]) -> Estimate:
        """What the next question in a place may come to, by what would be sent and by who was asked last."""
        window = sum(each.size for each in self._memory.window(conversation, private=False))
        told = sum(len(tool.spec.description) + len(str(tool.spec.parameters)) for tool in offered)
        newest = self._models.why(1) if self._models is not None else ()
        model, prices = (f"{newest[0].vendor}/{newest[0].model}", newest[0].prices) if newest else ("", None)
        tokens = (window + told) // CHARS_A_TOKEN
        return Estimate(tokens, model.strip("/"), prices or RECKONED, self._rules.tools.turn_dollars)

    def _forget(self, rest: str, who: Place) -> str:
        everybody = _may_forget_all(rest, who.caller, self._rules)
        if isinstance(everybody, str):
            return everybody
        try:
            gone = self._recall.forget(who.conversation, None if everybody else who.caller)
        except TurnsProblem as problem:
            return f"Not done: {problem}."
        return reports.forgotten(gone, everybody=everybody)

    def _history(self, rest: str, who: Place, turns: Turns) -> str:
        if (over := self._accounts.ask(who.caller)) is not None:
            return over.told(self._calls.now)
        everything = self._maintains(who)
        # What a tool told one person another may not be allowed to ask it; all of them heard question and answer.
        kept = [
            each if everything or each.caller == who.caller else replace(each, parts=())
            for each in turns.newest(who.conversation, _number(rest, HISTORY, MOST_HISTORY), parts=True)
        ]
        return reports.history(kept, [turns.cached(who.conversation, one) for one in kept], who.caller)

    def _maintains(self, who: Place) -> bool:
        return level_of(who.caller, self._rules) == "maintainer"


def _may_forget_all(rest: str, caller: str, rules: Rules) -> bool | str:
    """Whether `/forget ...` means what everybody said in a place; or why that is not done.

    Args:
        rest: What follows the command: nothing, or `all`.
        caller: Who says it.
        rules: They name maintainers.
    """
    if not rest:
        return False
    if rest != "all":
        return "Say /forget alone for what you said here, or /forget all for what everybody did."
    if level_of(caller, rules) != "maintainer":
        return "Only maintainers may forget what others said; /forget alone takes what you said here."
    return True


def _number(rest: str, otherwise: int, most: int) -> int:
    """A number that somebody gave; where there is none, or none that makes sense, the usual one."""
    return min(max(1, int(rest)), most) if rest.isdecimal() and len(rest) < len("1000") + 1 else otherwise
