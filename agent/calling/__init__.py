"""What a call of a tool is, and how it is carried out: looked at, permitted, timed, and answered whatever comes of it."""
