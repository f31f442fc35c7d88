"""A local YouTube for the demo, tests and drills; it shares no code with the client."""
