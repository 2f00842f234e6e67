"""Discord: the face that people use. Nothing outside of this package knows the library."""
