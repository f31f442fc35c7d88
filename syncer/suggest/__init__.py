"""What `init` proposes: collections and field mappings, guessed from what the pages of a site hold."""
