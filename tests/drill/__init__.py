"""The drill: a daemon in all weathers, with people about, killed and started again, and what must be true then."""
