"""What you do about counts that syncer wrote: look at them, keep them, drop them, undo them."""
