"""What comes in from Discord: written down before it is worked on, answered once and in order, read again after an absence."""
