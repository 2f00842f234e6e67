"""Picks one of several things for people who cannot decide."""
