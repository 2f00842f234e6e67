"""A model is asked again where that may help, rested where it does not, and all of it within one deadline."""

from contextlib import aclosing

import pytest

from agent.models.health import FAILURES, OPEN_SECONDS, Breaker, wait_before
from agent.models.patience import RETRIES, RETRIES_WITH_OTHERS
from agent.ports import ProviderFailed
from agent.providers.scripted import ScriptedModel
from agent.types import (
    Completion,
    Needs,
    Prices,
    Routed,
    Usage,
)
from tests.agent.routing import HELLO, TOOLED, TROUBLE, Time, all_of, routed_over, text_of
from tests.fakes.models import WIRED, opened
from tests.fakes.scripted import Turn, Use


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_rate_limit_is_waited_out(kind: str) -> None:
    """Through each SDK, a 429 is asked again after exactly what `retry-after` says, and by nobody else."""
    time = Time()
    async with opened(kind, Turn(status=429, times=2, retry_after=1.5), Turn(text="Cold.")) as bench:
        assert await text_of(routed_over(bench.provider, time=time)) == "Cold."
        assert len(bench.script.requests) == 3
    assert time.slept == [1.5, 1.5]


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_without_a_word_delays_grow(status: int) -> None:
    """Where nobody says when to come back, each wait is longer than the one before."""
    time = Time()
    model = ScriptedModel(Turn(status=status, times=2, retry_after=None), Turn(text="Cold."))
    assert await text_of(routed_over(model, time=time)) == "Cold."
    assert len(time.slept) == 2
    assert time.slept[0] < time.slept[1]


async def test_retries_end() -> None:
    """A model that keeps failing is asked a small number of times."""
    model = ScriptedModel(TROUBLE)
    with pytest.raises(ProviderFailed):
        await all_of(routed_over(model))
    assert len(model.script.requests) == RETRIES + 1


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_what_is_wrong_stays_wrong(status: int) -> None:
    """A request that the vendor refuses, or a key that it does not know, is not sent again."""
    model = ScriptedModel(Turn(status=status, times=0))
    time = Time()
    with pytest.raises(ProviderFailed):
        await all_of(routed_over(model, time=time))
    assert len(model.script.requests) == 1
    assert time.slept == []


async def test_who_says_to_come_back_late_is_stood_in_for() -> None:
    """With somebody to stand in, nobody waits half a minute; alone, the wait is kept as long as the deadline allows."""
    late = Turn(status=429, retry_after=30)
    time = Time()
    assert (
        await text_of(routed_over(ScriptedModel(late), ScriptedModel(Turn(text="at once")), time=time))
        == "at once"
    )
    assert time.slept == []
    assert await text_of(routed_over(ScriptedModel(late, Turn(text="later")), time=time)) == "later"
    assert time.slept == [30]


async def test_no_wait_goes_beyond_the_deadline() -> None:
    """Told to come back after the whole deadline, the router fails at once and says when it may work."""
    time = Time()
    model = ScriptedModel(Turn(status=429, retry_after=90, times=0))
    with pytest.raises(ProviderFailed) as failure:
        await all_of(routed_over(model, time=time), HELLO.model_copy(update={"seconds": 60}))
    assert failure.value.retry_after == 90
    assert time.slept == []


async def test_a_model_that_stays_silent_is_stood_in_for() -> None:
    """One that does not begin leaves time for another within the one deadline."""
    async with opened("compatible", Turn(text="never", stall_after=0)) as silent:
        router = routed_over(silent.provider, ScriptedModel(Turn(text="I am here")))
        assert await text_of(router, HELLO.model_copy(update={"seconds": 0.3})) == "I am here"


async def test_a_model_that_stays_silent_is_not_waited_for_twice() -> None:
    """What is left after one silence belongs to whoever stands in."""
    silent = ScriptedModel(Turn(text="never", stall_after=0, times=0))
    router = routed_over(silent, ScriptedModel(Turn(text="I am here")))
    assert await text_of(router, HELLO.model_copy(update={"seconds": 0.3})) == "I am here"
    assert len(silent.script.requests) == 1


async def test_a_failed_answer_is_on_the_bill_of_the_one_that_came() -> None:
    """What broke off before anything was shown is paid for with the answer that stands in, or with the failure."""
    breaks = Turn(
        calls=(Use(name="weather", arguments={"town": "Oslo", "country": "Norway"}),), break_after=1, times=0
    )
    prices = Prices(input=2, output=10)
    plain = prices.cost(Usage(input=100, output=20))
    both = routed_over(ScriptedModel(breaks, prices=prices), ScriptedModel(Turn(text="Cold."), prices=prices))
    last = (await all_of(both, TOOLED))[-1]
    assert isinstance(last, Completion)
    assert last.cost > plain
    with pytest.raises(ProviderFailed, match="broke off") as failure:
        await all_of(routed_over(ScriptedModel(breaks, prices=prices)), TOOLED)
    lost = (last.cost - plain) / (RETRIES_WITH_OTHERS + 1)
    assert failure.value.cost == pytest.approx(lost * (RETRIES + 1))
    assert failure.value.tokens > 0


async def test_the_circuit_opens_and_closes() -> None:
    """After some failed questions a model is left alone; when its time is over one trial decides."""
    time = Time()
    broken = ScriptedModel(
        Turn(status=500, times=FAILURES * (RETRIES_WITH_OTHERS + 1)), Turn(text="well again", times=0)
    )
    other = ScriptedModel(Turn(text="stands in", times=0))
    router = routed_over(broken, other, time=time)
    for _ in range(FAILURES):
        assert await text_of(router) == "stands in"
    asked = len(broken.script.requests)
    assert await text_of(router) == "stands in"
    assert len(broken.script.requests) == asked
    assert "vendor0/scripted failed too often" in router.why()[0].why
    time.now += OPEN_SECONDS + 1
    assert await text_of(router) == "well again"


async def test_alone_an_open_circuit_says_when() -> None:
    """The only model, left alone, is not asked, and people hear when it is again."""
    model = ScriptedModel(TROUBLE)
    router = routed_over(model)
    for _ in range(FAILURES):
        with pytest.raises(ProviderFailed, match="scripted trouble"):
            await all_of(router)
    asked = len(model.script.requests)
    with pytest.raises(ProviderFailed, match="failed 3 times in a row") as failure:
        await all_of(router)
    assert failure.value.retryable
    assert failure.value.retry_after == OPEN_SECONDS
    assert len(model.script.requests) == asked


def test_only_one_trial_at_a_time() -> None:
    """While a trial is out nobody else asks; a failed one puts the next twice as far off."""
    breaker = Breaker()
    for _ in range(FAILURES):
        assert not breaker.asked()
        breaker.failed(0.0, trial=False)
    assert breaker.refuses(OPEN_SECONDS - 1)
    assert not breaker.refuses(OPEN_SECONDS)
    assert breaker.asked()
    assert not breaker.asked()
    assert breaker.refuses(OPEN_SECONDS)
    breaker.failed(OPEN_SECONDS, trial=True)
    assert breaker.left(OPEN_SECONDS) == 2 * OPEN_SECONDS
    assert breaker.asked()
    breaker.dropped(trial=True)
    assert not breaker.refuses(10 * OPEN_SECONDS)
    breaker.worked()
    assert not breaker.refuses(0.0)


def test_what_was_asked_before_is_no_trial() -> None:
    """A request older than the opening that ends or fails while a trial is out neither ends it nor counts as it."""
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(0.0, trial=False)
    assert breaker.asked()
    breaker.failed(OPEN_SECONDS, trial=False)
    breaker.dropped(trial=False)
    assert breaker.refuses(OPEN_SECONDS)
    breaker.dropped(trial=True)
    assert breaker.left(OPEN_SECONDS) == 0


async def test_two_questions_at_once_make_one_trial() -> None:
    """Whoever comes second, when a circuit's time is over, goes to another model, and the reason names the first."""
    time = Time()
    broken = ScriptedModel(
        Turn(status=500, times=FAILURES * (RETRIES_WITH_OTHERS + 1)), Turn(text="well", times=0)
    )
    router = routed_over(broken, ScriptedModel(Turn(text="stands in", times=0)), time=time)
    for _ in range(FAILURES):
        await text_of(router)
    time.now += OPEN_SECONDS + 1
    async with aclosing(router.stream(HELLO, Needs())) as one, aclosing(router.stream(HELLO, Needs())) as two:
        first, second = await anext(one), await anext(two)
    assert isinstance(first, Routed)
    assert isinstance(second, Routed)
    assert (first.vendor, second.vendor) == ("vendor0", "vendor1")
    assert await text_of(router) == "well"


async def test_who_is_stood_in_for_is_who_failed() -> None:
    """A model that was passed over because somebody tries it just now is not named in the place of the one that failed."""
    time = Time()
    first = ScriptedModel(Turn(text="for now", times=FAILURES), TROUBLE)
    router = routed_over(first, ScriptedModel(TROUBLE), ScriptedModel(Turn(text="third")), time=time)
    second = Needs(model="vendor1/scripted")
    for _ in range(FAILURES):
        await all_of(router, needs=second)
    time.now += OPEN_SECONDS + 1
    async with (
        aclosing(router.stream(HELLO, Needs())) as one,
        aclosing(router.stream(HELLO, second)) as trial,
    ):
        await anext(one)
        await anext(trial)
        routed = [piece async for piece in one if isinstance(piece, Routed)]
    assert [route.vendor for route in routed] == ["vendor2"]
    assert "stands in for vendor0/scripted: The scripted model failed" in routed[0].why


def test_what_a_provider_said_is_never_undercut() -> None:
    """Jitter only ever adds to `retry-after`; without it, delays stay under a bound."""
    assert 5 <= wait_before(1, 5, lambda: 0.999) <= 5.5
    assert wait_before(30, None, lambda: 0.999) <= 20
