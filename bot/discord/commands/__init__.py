"""Slash commands and context menus: registered, filled in, answered."""
