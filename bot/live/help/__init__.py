"""Lists what can be done here."""
