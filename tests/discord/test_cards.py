"""Cards of proposals: what they say, that they fit, and that nobody forms them from outside."""

import re
from datetime import timedelta
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.review import sheets
from bot.discord.review.cards import MOST, Around, Press, asked_for, buttons, card, length, links, short
from bot.discord.review.fits import unfit
from bot.discord.review.parts import card_view
from bot.discord.review.points import IDS, Act, Point, point_of
from bot.discord.text import at_words, fenced, one_line, quoted, size
from policies.decision import Finding, Severity
from sandbox.types import Protection
from selfedit import protocol as say
from selfedit.answers import render
from selfedit.answers.telling import Changed
from selfedit.types import Check, GateReport, Part, Proposal, Stage, StageTime, Traced
from tests.fakes.life import BEGAN, EDITS, TO_LOOK_AT, head_of, judged
from tests.fakes.steward import STATUS

HOSTILE = (
    "@everyone <@123456789012345678> <@&5> [click](https://evil.example) ```\n**Approved by** <@1>\n"
    "# heading\n> quote\n||spoiler|| `code` https://evil.example \u202e\x1b[31m <t:1:R> </approve:1>"
)
texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(["```", "`", "\n", "@everyone", "<@1>", "\\", "*", "😀", "x" * 40, " "])).map(
        "".join
    ),
    st.just("😀" * 3000),
    st.just("`" * 3000),
    st.just(HOSTILE),
)
findings = st.builds(
    Finding,
    rule=st.text(min_size=1, max_size=30),
    severity=st.sampled_from(Severity),
    path=texts,
    line=st.none() | st.integers(1, 10_000),
    message=texts,
)
checks = st.builds(
    Check,
    name=st.text(min_size=1, max_size=40),
    passed=st.booleans(),
    seconds=st.floats(0, 10_000),
    summary=texts,
    findings=st.lists(findings, max_size=30).map(tuple),
)
reports = st.builds(
    GateReport,
    verdict=st.sampled_from(["passed", "refused", "failed", "unknown"]),
    base=st.just("0" * 40),
    head=st.just(head_of(7)),
    policy=st.just("p"),
    checks=st.lists(checks, max_size=30).map(tuple),
    seconds=st.floats(0, 100_000),
)
proposals = st.builds(
    Proposal,
    number=st.integers(1, 999_999_999),
    stage=st.sampled_from(Stage),
    title=texts,
    goal=st.none() | texts.map(lambda text: text[:4000]),
    reason=texts,
    requested_by=texts | st.just("discord:123456789012345678"),
    author=st.sampled_from(["", "model", "person"]),
    model=st.none() | texts,
    notes=st.lists(texts, max_size=40).map(tuple),
    edits=st.sampled_from([(), EDITS, EDITS * 40]),
    branch=texts,
    head=st.sampled_from(["", head_of(7)]),
    approvals=st.lists(texts | st.just("discord:1" + "0" * 18), max_size=30).map(tuple),
    merge=st.sampled_from(["", "d" * 40]),
    report=st.none() | reports,
    why=texts,
    part=st.none() | st.just(Part(of=999_999_999, number=2, count=6, whole="")),
    parts=st.sampled_from([(), ("Say Hi.", "*" * 1000) * 3]),
    begun=st.sampled_from([(), (999_999_998, 999_999_999)]),
    pull=st.integers(0, 10**9),
    url=texts | st.just("https://github.com/" + "o" * 100 + "/" + "n" * 100 + "/pull/1000000000"),
    revert_url=texts | st.just("https://github.com/o/n/pull/8"),
    names=st.lists(st.tuples(st.just("github:1"), texts), max_size=3).map(tuple),
    history=st.lists(st.builds(StageTime, stage=st.sampled_from(Stage), at=st.just(BEGAN)), max_size=40).map(
        tuple
    ),
)
changes = st.lists(st.builds(Changed, path=texts, added=st.integers(0), removed=st.integers(0)), max_size=60)


def opened(**fields: Any) -> Proposal:
    """A proposal that waits for an approval."""
    made: dict[str, Any] = {
        "stage": Stage.OPENED,
        "title": "Show each die",
        "requested_by": "discord:11",
        "head": head_of(7),
        "edits": EDITS,
        "report": judged(head_of(7), "p"),
        "history": (StageTime(stage=Stage.REQUESTED, at=BEGAN), StageTime(stage=Stage.OPENED, at=BEGAN)),
    }
    return Proposal(number=7, **{**made, **fields})


def part(one: Proposal, name: str, around: Around | None = None) -> str:
    """What a part of its card says; empty where there is no such part."""
    fields = card(one, around or Around()).fields
    return next((each.value or "" for each in fields if (each.name or "").startswith(name)), "")


@settings(max_examples=60)
@given(proposals, changes, texts)
def test_a_card_is_always_one_that_discord_takes(one: Proposal, changed: list[Changed], doing: str) -> None:
    """Whatever a proposal holds, its card is within every limit, and no part of it is empty."""
    presses = [Press(Act.REJECT, 10**18, BEGAN), Press(Act.ROLLBACK, 10**18, BEGAN)]
    embed = card(one, Around(changed, presses, doing))
    assert length(embed) <= MOST
    assert size(embed.title or "") <= 256
    assert size(embed.description or "") <= 4096
    assert len(embed.fields) <= 25
    for field in embed.fields:
        assert 1 <= size(field.name or "") <= 256
        assert 1 <= size(field.value or "") <= 1024
        assert (field.value or "").strip()
        assert (field.value or "").count("```") in (0, 2)


@given(texts, st.integers(20, 500))
def test_text_of_strangers_forms_nothing(text: str, limit: int) -> None:
    """What is shown in a line or a quotation mentions nobody, links nowhere, and fits."""
    line, quote = one_line(text, limit), quoted(text, limit)
    assert size(line) <= limit
    assert size(quote) <= limit
    assert "\n" not in line
    assert all(each.startswith("> ") for each in quote.split("\n") if quote)
    for shown in (line, quote.replace("\n> ", "\n").removeprefix("> ")):
        bare = re.sub(r"\\[^0-9A-Za-z\s]", "", shown)
        assert not re.search(r"[`*_~|<>\[\]()#]|://|@(?!\u200b)|\\", bare)


@given(st.lists(texts, max_size=30), st.integers(60, 1000))
def test_nothing_breaks_out_of_a_block_of_code(lines: list[str], limit: int) -> None:
    """A block of code holds its lines, whatever stands in them, and fits."""
    block = fenced(lines, limit, "diff")
    assert size(block) <= limit
    assert block.startswith("```diff\n")
    assert block.endswith("\n```")
    assert block.count("```") == 2


def test_a_goal_cannot_pose_as_a_part_of_the_card() -> None:
    """What somebody asks for is quoted line by line, so that it does not look like what the card itself says."""
    said = card(opened(goal=HOSTILE), Around()).description or ""
    assert said.startswith("**Goal**\n> ")
    assert "\n> \\*\\*Approved by\\*\\* \\<@\u200b1\\>" in said
    assert "evil.example)" not in said


def test_a_key_in_a_reason_is_not_shown() -> None:
    """What looks like a secret is taken out of a card."""
    key = "ghp_" + "a1B2" * 9
    assert key not in str(card(opened(reason=f"use {key}"), Around()).to_dict())


def test_a_card_says_what_is_needed_to_decide() -> None:
    """Stage with times, people, files, edits in words, gate and risk stand on the card of an open proposal."""
    one = opened(approvals=("discord:22",), author="model", model="m", tokens=1200, cost=0.02)
    around = Around([Changed("bot/live/roll/feature.py", 3, 1)])
    assert f"<t:{int(BEGAN.timestamp())}:T>" in part(one, "Stage")
    assert part(one, "Asked for by") == "<@11>"
    assert part(one, "Drafted by") == "model \\(m, 1,200 tokens, $0.0200\\)"
    assert part(one, "Approved by") == "<@22>"
    assert part(one, "Commits") == f"head `{head_of(7)[:12]}`"
    assert "+3 -1  bot/live/roll/feature.py" in part(one, "Files (1): +3 -1", around)
    assert part(one, "Edits").startswith("- rewrite roll in bot/live/roll/feature.py")
    assert "✓ tests " in part(one, "Gate: passed in 18.7 s")
    noted = part(opened(report=judged(head_of(7), "p", [TO_LOOK_AT])), "Gate")
    assert "! change " in noted
    assert part(one, "Risk", around).startswith("Ordinary: ")


def test_what_a_person_has_to_look_at_takes_two_approvals() -> None:
    """A finding that asks for a look is named, and the button says which approval it would be."""
    one = opened(report=judged(head_of(7), "p", [TO_LOOK_AT]), approvals=("discord:22",))
    assert "it has one, by <@22>" in part(one, "Takes two approvals")
    assert "imports json" in part(one, "Takes two approvals")
    assert not part(one, "Findings")
    assert part(one, "Risk").startswith("Raised: ")
    assert [each.label for each in buttons(one) if each.act is Act.APPROVE] == ["Approve (2 of 2)"]


@pytest.mark.parametrize(
    ("stage", "enabled"),
    [
        (Stage.OPENED, {Act.DIFF, Act.APPROVE, Act.REJECT, Act.ASK}),
        (Stage.LIVE, {Act.DIFF, Act.ASK, Act.ROLLBACK}),
        (Stage.REJECTED, {Act.DIFF, Act.ASK}),
    ],
)
def test_buttons_are_grey_where_nothing_can_be_done(stage: Stage, enabled: set[Act]) -> None:
    """Only what a stage allows can be pressed."""
    there = buttons(opened().model_copy(update={"stage": stage}))
    assert {each.act for each in there if each.enabled} == enabled


def test_how_it_got_there_is_told_in_stages() -> None:
    """Each stage stands there once with its time, and how long it took where that was soon; old ones are left out."""
    at = [BEGAN + timedelta(seconds=seconds) for seconds in (0, 20, 20, 4000)]
    stages = (Stage.DRAFTED, Stage.OPENED, Stage.OPENED, Stage.APPROVED)
    steps = tuple(StageTime(stage=stage, at=when) for stage, when in zip(stages, at, strict=True))
    told = part(opened(history=steps), "Stage").split("\n")[1]
    times = [f"<t:{int(when.timestamp())}:T>" for when in at]
    assert told == f"drafted {times[0]} → opened {times[1]} (+20 s) → approved {times[3]}"
    assert part(opened(history=steps * 9), "Stage").split("\n")[1].startswith("… ")


def test_before_there_is_a_change_nothing_can_be_pressed() -> None:
    """A request that is being drafted has no head, and so nothing to press."""
    assert not any(
        each.enabled for each in buttons(Proposal(number=1, stage=Stage.REQUESTED, requested_by="x"))
    )


def test_who_turned_it_down_is_said() -> None:
    """A press on Discord is on the card, with the reason that was given."""
    one = opened().model_copy(update={"stage": Stage.REJECTED, "why": "too loud"})
    said = part(one, "Turned down", Around(presses=[Press(Act.REJECT, 22, BEGAN)]))
    assert said == f"by <@22> <t:{int(BEGAN.timestamp())}:R>\n> too loud"


@given(
    st.sampled_from(Act),
    st.integers(0, 999_999_999),
    st.sampled_from(["", head_of(7)]),
    st.integers(0, 2**64 - 1),
)
def test_an_id_says_again_what_was_put_into_it(act: Act, number: int, head: str, who: int) -> None:
    """What a component carries comes back whole, and fits."""
    point = Point(act, number, head, who, 12, 3, "b")
    assert len(point.id) <= 100
    found = IDS.fullmatch(point.id)
    assert found is not None
    assert point_of(found) == point


PULL = "https://github.example/owner/name/pull/12"


def test_a_card_leads_to_its_pull_request() -> None:
    """Its number stands there as a link, and below it is a plain button to the same place."""
    one = opened(pull=12, url=PULL)
    assert f"[pull request #12]({PULL})" in part(one, "Commits")
    buttons_there = [each for each in card_view(one).children if isinstance(each, discord.ui.Button)]
    [there] = [each for each in buttons_there if each.url]
    assert (there.label, there.url, there.custom_id) == ("On GitHub", PULL, None)
    assert not [each for each in card_view(opened()).children if getattr(each, "url", None)]
    assert f"[pull request #12]({PULL})" in (sheets.proposals([one], lambda _number: "").description or "")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://evil.example/) [x](y",
        "https://a@b/c",
        "discord://x",
        "https://a/?q=<@1>",
    ],
)
def test_what_is_no_plain_address_is_no_button_and_no_link(url: str) -> None:
    """An address from elsewhere that could form something leads nowhere."""
    one = opened(pull=12, url=url)
    assert links(one) == ()
    assert part(one, "Commits").endswith("\npull request #12")


def test_who_approved_on_github_is_called_as_there_and_pinged_by_nothing() -> None:
    """By their login, which forms nothing; people of Discord by a mention."""
    names = (("github:1", "octo-cat"), ("github:2", "<@33> @everyone **x**"))
    said = part(opened(approvals=("github:1", "github:2", "discord:22"), names=names), "Approved by")
    assert said.startswith("octo-cat on GitHub and \\<@\u200b33\\> @\u200beveryone \\*\\*x")
    assert said.endswith("and <@22>")


def test_an_approval_that_has_to_wait_says_for_what() -> None:
    """The stage lasts where GitHub asks for more; without a reason it is passed in a moment."""
    waits = opened(stage=Stage.APPROVED, why="it waits for the check `check` on GitHub")
    assert part(waits, "Stage", Around(doing=waits.why)).startswith("🔀 **approved, and waiting**\n")
    assert "waits for the check" in part(waits, "Approved, and waiting")
    assert "approved, and being merged" in part(opened(stage=Stage.APPROVED), "Stage")


def test_what_serves_no_more_is_said_to_while_its_pull_request_waits() -> None:
    """The card tells that the code from before serves, leads to the pull request, and lets somebody ask for it once more."""
    one = opened(stage=Stage.KEPT, merge="d" * 40, pull=12, url=PULL, revert_url=f"{PULL}3")
    assert part(one, "Being taken back") == "What ran before it serves already; main follows."
    assert links(one) == (("On GitHub", PULL), ("Its way back", f"{PULL}3"))
    assert unfit(one, Act.ROLLBACK) == ""
    assert "Being taken back" not in str(
        card(one.model_copy(update={"stage": Stage.REVERTED}), Around()).to_dict()
    )


@settings(max_examples=30)
@given(st.lists(proposals, max_size=40))
def test_the_list_of_proposals_fits(several: list[Proposal]) -> None:
    """However many there are, the list is one embed."""
    link = "https://discord.com/channels/1/2/3"
    assert length(sheets.proposals(several, lambda _number: link)) <= 4096


@given(
    st.lists(st.builds(Traced, path=texts, name=texts, commit=texts, proposal=st.none(), title=texts)), texts
)
def test_the_answer_to_why_fits(traced: list[Traced], routes: str) -> None:
    """However much was changed, the answer is one embed within the limits."""
    embed = sheets.why(say.WhyIs(running="a" * 40, traced=tuple(traced)), routes)
    assert length(embed) <= MOST
    assert size(embed.description or "") <= 4096


def test_what_stands_badly_is_marked() -> None:
    """A halt is seen at once in how things stand."""
    shown = sheets.status(STATUS.model_copy(update={"halted": "discord:1, 2026-11-21 18:00 UTC"}))
    values = {field.name: field.value or "" for field in shown.fields}
    assert values["Self-editing"].startswith("⚠️ halted by <@1>, ")
    assert "/nowhere" not in str(shown.to_dict())


def test_summaries_are_cut_between_words() -> None:
    """What is too long for a row of the gate's table ends with a whole word."""
    assert at_words("prices answer at 1.0x tokens", 21) == "prices answer at…"
    assert at_words("short", 21) == "short"


def test_ids_in_reasons_are_people() -> None:
    """What a card quotes from the record names people as Discord does."""
    one = opened(reason="discord:11 wrote these edits by hand.", author="person")
    assert "> <@11> wrote" in (card(one, Around()).description or "")
    assert part(one, "Drafted by") == "written by hand"


def test_a_default_reason_is_left_out() -> None:
    """That somebody asked for it says nothing, so it is not said."""
    one = opened().model_copy(update={"stage": Stage.REVERTED, "why": "somebody asked for it"})
    assert not part(one, "Taken back")


def test_protections_are_one_line() -> None:
    """How many protections hold is said, with those that do not; the colour stays that of all being well."""
    held = [Protection(name=f"wall {each}", held=each != 2) for each in range(4)]
    shown = sheets.status(STATUS.model_copy(update={"protections": tuple(held)}))
    values = {field.name: field.value or "" for field in shown.fields}
    assert values["Protections"] == "3 of 4 hold\n-# not held: wall 2"
    assert shown.colour == sheets.status(STATUS.model_copy(update={"protections": ()})).colour


def test_a_request_is_shown_before_it_has_a_number() -> None:
    """Who asked sees at once what was understood."""
    assert asked_for("", "discord:11", 2).description == "Edits by hand (2)"
    assert asked_for("greet people", "discord:11").description == "> greet people"


def test_a_goal_that_was_split_names_its_parts() -> None:
    """The card lists the smaller goals with their proposals, and that of a part says of what it is one."""
    whole = opened(stage=Stage.SPLIT, edits=(), report=None, parts=("Say Hi.", "Say Hey."), begun=(8,))
    first, second = part(whole, "Parts").split("\n")
    assert "Say Hi." in first
    assert "proposal 8" in first
    assert second == "2. Say Hey."
    one = opened(part=Part(of=7, number=2, count=2, whole="Greet."))
    assert part(one, "Part") == "part 2 of 2 of proposal 7"
    assert "part 2 of 2 of proposal 7" in short(one)


def test_the_list_says_for_what_each_waits_in_the_words_of_the_console() -> None:
    """Below what is under review stands what is missing, with people by name; what has ended waits for nothing."""
    one = opened(stage=Stage.APPROVED, why="it waits for *checks*\nand more")
    assert "waits for *checks*" in render.plain(render.proposals([one]))
    assert short(one).splitlines()[2:] == [r"-# it waits for \*checks\*"]
    assert "<@1>" in short(opened(why="the approval by discord:1 does not stand any more"))
    assert len(short(opened(stage=Stage.REJECTED, why="no")).splitlines()) == 2
