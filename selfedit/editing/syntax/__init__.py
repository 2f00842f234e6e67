"""Python source as text with a tree beside it: find a definition, move code, splice, keep all else as it is."""
