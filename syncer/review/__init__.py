"""What a person says of counts that syncer wrote: undoing a sync."""
