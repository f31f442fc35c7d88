"""The pages on disk: finding them, and putting new bytes in their place."""
