"""Checks the setup: config, pages, API key, quota, git and state, and says what to do."""
