"""The state: what YouTube returned, the units spent, and the past syncs. A SQLite database, and its lock."""
