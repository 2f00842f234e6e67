"""The edges where people meet Theseus, and the place where everything is put together."""
