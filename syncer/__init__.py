"""Keeps the YouTube counts in a site's front matter true."""

__version__ = "0.1.0"
