"""What a person says of counts that syncer wrote: keeping what waits in git, dropping it, undoing a sync."""
