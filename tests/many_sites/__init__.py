"""Many sites under one daemon, in all weathers: what happens to some of them, and what must be true of all."""
