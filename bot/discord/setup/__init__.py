"""How a server and its owner get going: the first words, who may do what, where news go."""
