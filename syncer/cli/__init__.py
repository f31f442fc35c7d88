"""The command line: parses, calls, prints, and ends with an exit code. The only package that prints."""
