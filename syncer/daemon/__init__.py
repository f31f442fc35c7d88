"""When to sync: the schedule, triggers, what follows a failed sync, and who is notified of it."""
