"""Tries to break the writing side from outside: kills, faults of the disk, power cuts, editors, other writers."""
