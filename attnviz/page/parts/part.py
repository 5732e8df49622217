"""Part: one thing that a page shows."""


class Part:
    """One thing that a page shows: a board, a list, a map, ... Each kind is a dataclass in a file of this folder."""
