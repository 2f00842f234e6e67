"""Translations to and from the vendors: one file for each way of speaking to a model."""
