"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A property takes as long as a busy machine needs, and is tried with the same effort everywhere.
settings.register_profile(
    "unhurried", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
