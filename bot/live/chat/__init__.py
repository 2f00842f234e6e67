"""Answers every line that is no command, with a model where there is one."""
