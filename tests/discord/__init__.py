"""The stand-in for Discord, tried with the unmodified client."""
