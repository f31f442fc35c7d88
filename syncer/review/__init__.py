"""What a person says of counts that syncer wrote: looks at them, keeps, drops, undoes."""
