"""One sync, start to end: the only place where deciding meets doing."""
