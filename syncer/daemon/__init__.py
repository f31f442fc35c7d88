"""When to sync: the schedule, what is triggered meanwhile, what to do when a sync fails, and what systemd is told."""
