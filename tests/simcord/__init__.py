"""Discord once more, by a second judge: SimCord, which keeps Discord's rules without our own stand-in's help."""
