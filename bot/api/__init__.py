"""The bot's HTTP surface: what other programs may ask of it, or tell it."""
