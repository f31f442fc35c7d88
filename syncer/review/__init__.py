"""Reviews the counts that syncer wrote: shows, keeps, drops and undoes them."""
