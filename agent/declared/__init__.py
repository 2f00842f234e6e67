"""Tools that people make as data: a described call of the net, never code."""
