"""The arithmetic: what a transformer computes, with no family name and no file format in it."""
