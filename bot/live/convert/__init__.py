"""Converts between the units that people of different countries use."""
