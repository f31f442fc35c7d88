"""Finds the counts in a page's front matter and rewrites them: bytes in, bytes out."""
