"""The state: what YouTube last said, what was spent, and how syncs went. SQLite, and the lock that guards it."""
