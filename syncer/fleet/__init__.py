"""Sites on several machines: who syncs which, and the queue of their jobs."""
