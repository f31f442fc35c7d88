"""The diff log: one JSON line for each count that was changed."""
