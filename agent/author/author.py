"""An author that asks a language model: it looks at live code, drafts edits, tries them on the gate, proposes.

The model only ever gets text and only ever gives tool calls; what they ask for is done here, on a copy in
memory, or by the gate. Nothing that a model sends can raise out of here: it is answered, so that it can mend.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from agent.author import briefing, reading
from agent.author.talk import Talk
from agent.author.tools import (
    WHOLE,
    BadCall,
    GiveUp,
    ListFiles,
    Outline,
    Propose,
    ReadFile,
    Search,
    Split,
    TryEdits,
    edits_key,
    read_call,
    read_edits,
)
from agent.ports import ModelProvider, ProviderFailed
from agent.types import Ask, Message, ToolCall
from policies.decision import Finding, Severity
from policies.load import AuthorRules
from selfedit.editing.codemod import Rejection, apply_edits
from selfedit.editing.edits import Edit
from selfedit.ports import Tell, Workbench
from selfedit.types import Draft, NoDraft, Plan, Request, Reviewed
from selfedit.words import describe, one_line

_Job = tuple[Request, Reviewed | None]
"""What was asked for, and the draft under review that is to be made again, where there is one."""
_MAX_SILENT = 3
_MAX_REPEATS = 4
_MAX_TALKS = 8


class ModelAuthor:
    """Drafts with a language model. Implements `selfedit.ports.Reviser`.

    Asked again about the same request, with complaints of the gate, it goes on with the same conversation and the same
    budget: keep one author for all rounds of a request. Each revision has a conversation and a budget of its own.
    """

    def __init__(self, provider: ModelProvider, rules: AuthorRules, secrets: Sequence[str] = ()) -> None:
        """Take a model.

        Args:
            provider: The model.
            rules: What one request may cost.
            secrets: The process's own keys, which are taken out of what strangers write.
        """
        self._provider = provider
        self._rules = rules
        self._secrets = tuple(secrets)
        self._talks: OrderedDict[_Job, Talk] = OrderedDict()

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft | Plan:
        """Draft edits for a request; see `Author.draft`."""
        return await self._work((request, None), bench, complaints, tell)

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """Draft again what is under review; see `Reviser.revise`."""
        end = await self._work((request, reviewed), bench, complaints, tell)
        return NoDraft(why="The model did not stay with this change.") if isinstance(end, Plan) else end

    async def _work(
        self, job: _Job, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft | Plan:
        talk = self._begun(job, bench, complaints)
        self._talks[job] = talk
        while len(self._talks) > _MAX_TALKS:
            self._talks.popitem(last=False)
        try:
            end = await self._converse(talk, bench, tell)
        except ProviderFailed as failure:
            talk.lose(failure)
            end = NoDraft(why=f"The model could not go on: {failure} ({talk.bill})")
        if isinstance(end, NoDraft):
            return end.model_copy(update={"tokens": talk.tokens, "cost": round(talk.dollars, 6)})
        return end

    def _begun(self, job: _Job, bench: Workbench, complaints: Sequence[Finding]) -> Talk:
        said = "\n".join(briefing.line(finding) for finding in complaints)
        if complaints and (talk := self._talks.pop(job, None)) is not None:
            # Main may have moved since: what was read and tried before may be asked for again.
            talk.calls.clear()
            talk.failed.clear()
            talk.passed = ()
            talk.note(f"the gate said no: {said}")
            text = "The gate has judged your proposal and said no. Mend it and propose again.\n"
            talk.messages.append(Message(role="user", text=text + talk.data("the gate's complaints", said)))
            return talk
        request, reviewed = job
        talk = Talk(secrets.token_hex(4), [Message(role="system", text=briefing.instructions())])
        if reviewed is not None or request.part is not None:
            talk.tools = WHOLE
        if reviewed is not None:
            count = len(reviewed.complaints)
            talk.note(
                f"drafted again after {count} {'complaint' if count == 1 else 'complaints'} from outside"
            )
        text = briefing.first_words(
            talk, request, bench, reviewed=reviewed, complaints=said, secrets=self._secrets
        )
        talk.messages.append(Message(role="user", text=text))
        return talk

    async def _converse(self, talk: Talk, bench: Workbench, tell: Tell) -> Draft | NoDraft | Plan:
        while room := talk.room(self._rules, self._provider.prices):
            ask = Ask(messages=tuple(talk.messages), tools=talk.tools, max_tokens=room)
            completion = await self._provider.complete(ask)
            talk.count(completion)
            tell(talk.bill)
            if completion.stop == "refused":
                return NoDraft(
                    why=f"The model declined: {one_line(completion.text, 400) or 'it gave no reason'}"
                )
            cut = completion.stop == "length"
            if not completion.calls:
                talk.silent += 1
                if talk.silent >= _MAX_SILENT:
                    said = one_line(completion.text, 400)
                    return NoDraft(why=f"The model stopped without a proposal ({talk.bill}). It said: {said}")
                reason = "Your answer was cut off: be shorter. " if cut else ""
                talk.messages.append(
                    Message(role="user", text=f"{reason}Go on with a tool, `propose` or `give_up`.")
                )
                continue
            talk.silent = 0
            if (end := await self._answer_all(talk, completion.calls, bench, tell, cut=cut)) is not None:
                return end
        rules = self._rules
        return NoDraft(
            why=f"What one request may cost was used up before there was a change to propose: {talk.bill}, of "
            f"{rules.steps} answers, {rules.max_tokens:,} tokens and ${rules.max_dollars:.2f}. "
            "Ask for something smaller, or allow more under [author] in policies/rules.toml."
        )

    async def _answer_all(
        self, talk: Talk, calls: Sequence[ToolCall], bench: Workbench, tell: Tell, *, cut: bool
    ) -> Draft | NoDraft | Plan | None:
        """Answer every call, as vendors insist on; the first that ends the work ends it."""
        end: Draft | NoDraft | Plan | None = None
        for call in calls:
            text = ""
            if end is not None:
                text = "Not done: the work had ended."
            elif cut:
                text = "Not done: your answer was cut off before it was complete. Send a shorter one."
                talk.note(f"{call.name} was cut off")
            else:
                try:
                    answer = await self._answer(talk, call, bench, tell)
                except BadCall as problem:
                    talk.note(f"{call.name}: {problem}")
                    answer = str(problem)
                if isinstance(answer, str):
                    text = answer
                else:
                    end, text = answer, "Done."
            talk.messages.append(Message(role="tool", text=text, call_id=call.id))
        if end is None and talk.repeats >= _MAX_REPEATS:
            end = NoDraft(why=f"The model went round in circles and was stopped ({talk.bill}).")
        return end

    async def _answer(
        self, talk: Talk, call: ToolCall, bench: Workbench, tell: Tell
    ) -> str | Draft | NoDraft | Plan:
        if (call.name, call.arguments) in talk.calls:
            talk.repeats += 1
            return "You have made exactly this call before; its answer stands above. Do something else."
        talk.calls.add((call.name, call.arguments))
        arguments = read_call(call, talk.tools)
        files = bench.files
        match arguments:
            case ListFiles():
                return talk.data("list_files", reading.list_files(files))
            case Outline():
                return talk.data(arguments.path, reading.outline(files, arguments.path))
            case ReadFile():
                tell(f"reads {one_line(arguments.path)}")
                text = reading.read_file(files, arguments.path, arguments.first, arguments.last or None)
                return talk.data(arguments.path, text)
            case Search():
                return talk.data("search", reading.search(files, arguments.text, arguments.under))
            case TryEdits():
                return await self._try(talk, read_edits(arguments.edits), bench, tell)
            case Propose():
                return await self._propose(talk, arguments, bench)
            case Split():
                goals = tuple(one_line(goal, 1000) for goal in arguments.goals)
                if "" in goals or len(set(goals)) < len(goals):
                    raise BadCall("Each of the goals needs words, and other words than the others.")
                return Plan(
                    goals=goals,
                    why=arguments.reason,
                    model=talk.model or self._provider.model,
                    tokens=talk.tokens,
                    cost=round(talk.dollars, 6),
                )
            case GiveUp():
                return NoDraft(why=f"The model gave up: {one_line(arguments.reason, 1000)}")
            case _:
                raise BadCall(f"{call.name} cannot be used now.")

    async def _try(self, talk: Talk, edits: tuple[Edit, ...], bench: Workbench, tell: Tell) -> str:
        await _applicable(edits, bench)
        more = f" and {len(edits) - 1} more" if len(edits) > 1 else ""
        tell(f"tries on the gate: {one_line(describe(edits[0]))}{more}")
        trial = await bench.trial(self._draft(talk, "Trial", "A trial.", edits))
        key = edits_key(edits)
        if isinstance(trial, Finding):
            raise BadCall(f"The edits are not accepted: {briefing.line(trial)}")
        if trial.verdict == "passed":
            talk.passed = edits
            return "The gate passed. Now propose." + briefing.remarks(talk, trial)
        said = "\n".join(
            briefing.line(finding) for finding in trial.findings if finding.severity is Severity.REFUSE
        )
        if trial.verdict == "unknown":
            talk.note(f"a trial could not be judged: {said}")
            return (
                "The gate could not judge, which is not your fault. Check your edits by eye and propose them."
            )
        broken = ", ".join(check.name for check in trial.checks if not check.passed) or "policy"
        talk.failed[key] = said
        talk.note(f"a trial was {trial.verdict} by {broken}: {said}")
        return f"The gate said no ({trial.verdict}; {broken}). Mend this:\n" + talk.data(
            "the gate's complaints", said
        )

    async def _propose(self, talk: Talk, proposal: Propose, bench: Workbench) -> str | Draft:
        edits = talk.passed if proposal.edits is None else read_edits(proposal.edits)
        if not edits:
            raise BadCall("No trial has passed yet, so propose needs edits.")
        if (said := talk.failed.get(edits_key(edits))) is not None:
            talk.note("proposed what a trial had turned down")
            return "A trial has turned down exactly these edits. Mend this first:\n" + talk.data(
                "complaints", said
            )
        await _applicable(edits, bench)
        return self._draft(talk, one_line(proposal.title, 200), proposal.reason, edits)

    def _draft(self, talk: Talk, title: str, reason: str, edits: tuple[Edit, ...]) -> Draft:
        return Draft(
            title=title or "Change",
            reason=reason,
            edits=edits,
            author="model",
            model=talk.model or self._provider.model,
            tokens=talk.tokens,
            cost=round(talk.dollars, 6),
            notes=tuple(talk.notes),
        )


async def _applicable(edits: tuple[Edit, ...], bench: Workbench) -> None:
    """Complain where edits do not apply, before a gate is asked."""
    applied = await asyncio.to_thread(apply_edits, bench.files, edits)
    if isinstance(applied, Rejection):
        near = f" Near it: {', '.join(applied.suggestions)}." if applied.suggestions else ""
        raise BadCall(
            f"Edit {applied.index} ({applied.op}, {applied.path}) does not apply: {applied.message}{near}"
        )
