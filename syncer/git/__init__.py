"""Runs git: reads a repository, stores commits, moves branches, pushes."""
