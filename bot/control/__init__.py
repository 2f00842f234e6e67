"""The kernel's own commands: never hot-swapped, never changed by proposals."""
