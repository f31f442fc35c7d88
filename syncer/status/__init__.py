"""How things are: the state and the ledger, in the shapes that commands, page and API show."""
