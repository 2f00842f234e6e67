"""How long GitHub asks to be left alone, and what its refusals mean."""

import pytest

from selfedit.forge.github.limits import BURST, Pace, pause
from selfedit.forge.github.refusals import refusal


@pytest.mark.parametrize(
    ("status", "headers", "said", "repeated", "expected"),
    [
        (200, {"x-ratelimit-remaining": "0"}, "", 0, None),
        (403, {}, "Resource not accessible by integration", 0, None),
        (404, {}, "rate limit", 0, None),
        (403, {"retry-after": "5"}, "", 0, 5),
        (403, {}, "You have exceeded a secondary rate limit", 0, 60),
        (403, {}, "You have exceeded a secondary rate limit", 2, 240),
        (429, {"retry-after": "0"}, "", 0, 1),
        (429, {"retry-after": "soon"}, "", 0, 60),
        (
            403,
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1000100",
                "date": "Mon, 12 Jan 1970 13:46:40 GMT",
            },
            "",
            0,
            101,
        ),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "999999999999", "date": "x"}, "", 0, 7200),
        (503, {"retry-after": "9"}, "", 0, 9),
        (503, {}, "", 0, None),
    ],
)
def test_how_long_to_wait(
    status: int, headers: dict[str, str], said: str, repeated: int, expected: float | None
) -> None:
    """As GitHub's documentation asks: the header, the reset by its own clock, or at least a minute."""
    assert pause(status, headers, said, repeated) == expected


def test_a_burst_of_writes_is_let_through_and_a_row_of_them_paced() -> None:
    """As many as may follow one another do so at once; from then on each waits for its second, and rest is made up for."""
    pace = Pace()
    assert {pace.before_writing(100.0) for _ in range(int(BURST))} == {0.0}
    assert [pace.before_writing(100.0) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert pace.before_writing(1000.0) == 0.0


@pytest.mark.parametrize(
    ("status", "said", "path", "sentence"),
    [
        (
            401,
            "Bad credentials",
            "/user",
            "GitHub does not accept GITHUB_TOKEN (any more): Bad credentials; give another",
        ),
        (403, "Repository was archived so is read-only.", "/repos/o/r/pulls", "o/r is archived on GitHub"),
        (451, "Repository access blocked", "/repos/o/r", "its owner has to ask GitHub why"),
        (
            403,
            "Resource protected by SAML",
            "/repos/o/r/pulls",
            "at /pulls of o/r (403: Resource protected by SAML)",
        ),
        (404, "Not Found", "/repos/o/r", "at the repository of o/r"),
        (404, "Not Found", "/app/installations/7/access_tokens", "no installation of the number"),
        (422, "Validation Failed", "/repos/o/r/pulls", "GitHub refused a request (422: Validation Failed)"),
    ],
)
def test_a_refusal_says_what_can_be_done(status: int, said: str, path: str, sentence: str) -> None:
    """Each as one sentence, with GitHub's own words, and a time after which to ask again."""
    why, again = refusal(status, said, path, repository="o/r", app=False)
    assert sentence in why
    assert again >= 120
