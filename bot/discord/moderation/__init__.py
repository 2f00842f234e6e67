"""Kicking, banning and muting members: for whoever may do that on Discord, and only by their own press of a button."""
