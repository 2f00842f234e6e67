"""Which models there are, and which of them is asked: in what order, how often, and for how long."""
