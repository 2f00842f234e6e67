"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

EXPLORING = bool(os.environ.get("THESEUS_EXPLORE"))

# A property takes as long as a busy machine needs, and is tried with the same effort everywhere. The examples are the
# same each time, so that a red run speaks of the change that it judges; THESEUS_EXPLORE=1 looks for new ones, and for
# many more. What nobody can foresee is tried on every change by the contracts.
settings.register_profile(
    "unhurried",
    max_examples=500 if EXPLORING else 50,
    deadline=None,
    database=None,
    derandomize=not EXPLORING,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")
