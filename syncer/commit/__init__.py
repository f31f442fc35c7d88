"""Commits counts: what a commit contains, its message, and how it is pushed."""
