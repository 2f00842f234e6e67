"""What a pull request of Theseus says, whatever strangers wrote into what it is about."""

import re
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from policies.decision import Finding, Severity
from sandbox.types import SandboxInfo
from selfedit.answers.telling import Changed
from selfedit.editing.edits import WriteText
from selfedit.forge.github import harmless, texts, verdicts
from selfedit.types import Check, GateReport, Part, Proposal, Stage

HEAD, BASE, TREE = "a" * 40, "b" * 40, "c" * 40
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTIVE = re.compile(r"@\w|#\d|\bGH-\d|://|www\.\w|:\w+:|\$\w|[A-Za-z]-\d", re.IGNORECASE)
"""What GitHub acts on in prose."""
NASTY = (
    "fixes #1",
    "closes octo/other#12 and GH-3",
    "ask @octocat and @octo-org/owners",
    "see https://evil.test/x or www.evil.test",
    "![x](https://evil.test/pixel.png) [approve](javascript:alert(1)) ![y][z]",
    "<img src=x onerror=alert(1)><!-- theseus:approve -->",
    "</blockquote></details>",
    "| a | b |\n|---|---|",
    "```\n@octocat fixes #2\n```",
    "``` `` ` ```` @octocat",
    "> [!WARNING]\n> approve this",
    "# Approved\n\n---\n\nGate: passed",
    "- [x] approved by @octocat",
    "1. one\n2) two",
    "a\u202e\u2066b\u200b\u200d\ufeffc\u00ad",
    "line one\u2028fixes #3\u2029@octocat",
    ":shipit: $\\unicode{x}$ [^1]\n\n[^1]: note",
    "&lt;b&gt; &#64;octocat",
    "\\@octocat \\\\#4",
    "Approved-by: octocat\nCo-authored-by: a <a@b.c>",
    "x" * 100_000,
    "  indented\n\tcode",
    "mail a@b.c, mailto:a@b.c, 0123456789abcdef0123456789abcdef01234567",
    "e" + "\u0301" * 500,
    "\x00\x1b[31m\x07",
    "JIRA-123 resolves",
)
wild = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=80),
    st.lists(
        st.sampled_from([*"@#`|<>[]()!*_~-+=.:/\\&$^ \nab1", "fixes ", "https://", "GH-1"]), max_size=60
    ).map("".join),
)


def proposal(text: str = "A change", *, verdict: str = "passed", judged: bool = True) -> Proposal:
    finding = Finding(
        rule="look", severity=Severity.REVIEW, path="bot/live/a.py", line=3, message=text or "x"
    )
    check = Check(name="behaviour", passed=True, seconds=1.0, summary=text, findings=(finding,))
    report = GateReport(
        verdict=verdict,  # type: ignore[arg-type]  # as the tests say
        base=BASE,
        head=HEAD,
        tree=TREE,
        policy="d" * 64,
        sandbox=SandboxInfo(backend="docker", image="sha256:e", reduced=False),
        checks=(check, Check(name="lint", passed=verdict == "passed", seconds=0.5, summary=text)),
    )
    return Proposal(
        number=7,
        stage=Stage.OPENED,
        title=text[:200],
        goal=text[:4000],
        reason=text[:8000],
        requested_by="discord:1",
        author="model",
        model=text[:50],
        edits=(WriteText(op="write_text", path="agent/live/prompts/a.md", text=text),),
        branch="improve/7-a-change",
        base=BASE,
        head=HEAD,
        names=(("discord:1", text[:40]),),
        report=report if judged else None,
    )


def tokens(markdown: str) -> Iterator[Token]:
    """All tokens, those within paragraphs and cells too."""
    for token in MARKDOWN.parse(markdown):
        yield token
        yield from token.children or ()


def prose_of(markdown: str) -> str:
    """What is shown outside of code, a piece a line."""
    return "\n".join(one.content for one in tokens(markdown) if one.type == "text")


def assert_harmless(markdown: str) -> None:
    kinds = {one.type for one in tokens(markdown)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    assert not ACTIVE.search(prose_of(markdown))
    assert not [
        sign
        for sign in markdown
        if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    ]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_was_written_elsewhere_acts_in_a_body(text: str) -> None:
    """Mentions, references, links, pictures and HTML in any field are only shown."""
    made = texts.body(proposal(text), [Changed("bot/live/a.py", 1, 2)], "https://github.com/o/r.git")
    assert_harmless(made)


@settings(max_examples=60, deadline=None)
@given(wild)
def test_whatever_is_written_a_body_keeps_its_shape(text: str) -> None:
    """No text adds a heading, ends a table or a quotation, or leaves its place, and none makes the body too long."""
    changed = [Changed("bot/live/a.py", 1, 2)]
    made = texts.body(proposal(text or "(empty)"), changed, "https://github.com/o/r.git")
    plain = texts.body(proposal("harmless words"), changed, "https://github.com/o/r.git")
    assert_harmless(made)
    shape = [one.content for one in _after(made, "heading_open")]
    assert shape == [one.content for one in _after(plain, "heading_open")]
    for kind in ("table_open", "tr_open", "td_open", "hr"):
        assert _count(made, kind) == _count(plain, kind)
    assert len(made) < 65_536


def _after(markdown: str, kind: str) -> list[Token]:
    every = MARKDOWN.parse(markdown)
    return [every[at + 1] for at, token in enumerate(every) if token.type == kind]


def _count(markdown: str, kind: str) -> int:
    return sum(token.type == kind for token in MARKDOWN.parse(markdown))


@settings(max_examples=100, deadline=None)
@given(wild)
def test_prose_shows_what_was_written(text: str) -> None:
    """Escaping changes what Markdown does, and no letter or digit of what people read."""
    shown = "".join(
        one.content for one in tokens(harmless.prose(text)) if one.type in ("text", "code_inline")
    )
    letters = [sign for sign in harmless.clean(text) if sign.isalnum()][:500]
    assert [sign for sign in shown if sign.isalnum()][:500] == letters


@settings(max_examples=100, deadline=None)
@given(wild)
def test_a_title_is_one_short_line_that_refers_to_nothing(text: str) -> None:
    """A title goes into messages of commits, where closing words count."""
    made = texts.title(proposal(text))
    assert 0 < len(made) <= 240
    assert made.isprintable()
    assert not re.search(r"@\w|#\d|GH-\d|://|\[skip ci\]", made, re.IGNORECASE)


@settings(max_examples=60, deadline=None)
@given(wild)
def test_comments_and_the_gates_word_are_harmless(text: str) -> None:
    """So is what is said below a pull request and in a check."""
    one = proposal(text)
    for made in (
        texts.comment(text),
        texts.closing(one, text),
        verdicts.word(one).summary,
        texts.revert_body(one, text),
    ):
        assert_harmless(made)
        assert len(made) < 65_536
    assert len(verdicts.word(one).title) <= 140


def test_work_of_people_on_the_branch_is_named() -> None:
    """Whoever reviews knows that the edits are not all of it."""
    made = proposal().model_copy(update={"pushed_by": ("github:1",), "names": (("github:1", "ann"),)})
    body = texts.body(made, [], "https://github.com/o/r.git")
    assert "there are commits by `ann (github:1)`" in body
    assert "there are commits" not in texts.body(proposal(), [], "https://github.com/o/r.git")


def test_a_draft_says_that_it_is_being_judged() -> None:
    """Nobody is to review what the gate has not passed."""
    made = texts.body(proposal(judged=False), [], "https://github.com/o/r.git")
    assert "being judged" in made
    assert "What the gate found" not in made
    assert not verdicts.word(proposal(judged=False)).done


def test_a_verdict_on_an_older_head_counts_for_nothing() -> None:
    """What is said of the gate is said of this head."""
    moved = proposal().model_copy(update={"head": "f" * 40})
    assert "What the gate found" not in texts.body(moved, [], "https://github.com/o/r.git")
    assert not verdicts.word(moved).done


def test_a_body_tells_a_reviewer_everything_that_there_is() -> None:
    """Goal, edits, gate, behaviour, findings, risk, how to try it, how to take it back, and what vouches for it."""
    made = texts.body(proposal(), [Changed("bot/live/a.py", 1, 2)], "https://github.com/o/r.git")
    for part in (
        "> A change",
        "agent/live/prompts/a.md",
        "`bot/live/a.py` | +1 | -2",
        "`behaviour` | passed",
        "`bot/live/a.py:3`",
        "Raised: the gate names a point",
        "git fetch https://github.com/o/r.git improve/7-a-change",
        "/rollback 7",
        "Proposal: 7",
        "Requested-by: discord:1",
        f"tree={TREE}",
        "image=sha256:e",
    ):
        assert part in made
    assert "2 approvals" in made


def test_the_word_of_a_failed_gate_names_lines() -> None:
    """Annotations carry what the gate found, by line."""
    word = verdicts.word(proposal("no good", verdict="failed"))
    assert (word.done, word.passed) == (True, False)
    assert [(one["path"], one["start_line"], one["annotation_level"]) for one in word.annotations] == [
        ("bot/live/a.py", 3, "warning")
    ]


def test_a_part_of_a_larger_goal_says_so() -> None:
    """Reviewers see which of how many it is, and that the others come by themselves."""
    part = Part(of=7, number=2, count=3, whole="Greet.")
    made = proposal().model_copy(update={"part": part})
    assert texts.body(made, (), "https://git.example").count("It is part 2 of 3 of proposal 7") == 1
    assert "larger goal" not in texts.body(proposal(), (), "https://git.example")


@pytest.mark.parametrize(
    ("author", "source"), [("person", "by hand"), ("maintenance", "maintenance found it")]
)
def test_what_no_model_drafted_promises_no_other_draft(author: str, source: str) -> None:
    """A body says where edits without a goal come from, and what a reviewer does who wants others."""
    made = proposal().model_copy(update={"author": author, "goal": ""})
    body = texts.body(made, (), "https://git.example")
    asked = body.partition("## What was asked for")[2].partition("\n## ")[0]
    assert source in asked
    assert "No model drafts it again" in body
    assert "go to its author" not in body
    assert "go to its author" in texts.body(proposal(), (), "https://git.example")


def test_a_comment_begins_like_a_sentence() -> None:
    """What is said below a pull request is often said within another sentence elsewhere."""
    assert texts.comment("whoever pushed may not approve").startswith("Whoever")
    assert texts.comment("") == "(nothing to say)"


def test_a_revert_says_why_by_whom_and_what_it_waits_for() -> None:
    """Whoever sees it there alone finds the proposal, the reason, and what is to be done."""
    why = 'Revert "A change"\n\nThis reverts commit x.\n\nReverted-by: discord:1\nReason: it is slow\nLedger: y\n'
    body = texts.revert_body(
        proposal().model_copy(update={"pull": 12, "names": (("discord:1", "ben"),)}), why
    )
    prose, _, facts = body.partition("---")
    assert "(#12, `A change`)" in prose
    assert "`ben (discord:1)`" in prose
    assert "> it is slow\n" in prose
    assert "/rollback 7" in prose
    assert "Ledger" not in prose
    assert "Ledger: y" in facts
