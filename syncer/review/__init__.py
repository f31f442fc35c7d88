"""What waits in the working tree: looked at, kept, dropped."""
