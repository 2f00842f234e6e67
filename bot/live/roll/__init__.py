"""Rolls dice."""
