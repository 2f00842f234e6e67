"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# A property takes as long as a busy machine needs, and is tried with the same effort everywhere. The examples are the
# same each time, so that a red run speaks of the change that it judges; THESEUS_EXPLORE=1 looks for new ones.
settings.register_profile(
    "unhurried",
    deadline=None,
    database=None,
    derandomize=not os.environ.get("THESEUS_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")
