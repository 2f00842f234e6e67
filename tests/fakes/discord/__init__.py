"""A stand-in for Discord on loopback, good enough for the unmodified discord.py client."""
