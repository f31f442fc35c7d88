"""Measures syncer beside the bare loop and beside the script that a user would write."""
