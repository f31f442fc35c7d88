"""The pages on disk: finds, reads and replaces them."""
