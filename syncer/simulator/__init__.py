"""A YouTube that runs on this machine, for the demo, the tests and drills; it shares no code with the client."""
