"""Git: the command, and commits that hold our counts and nothing else."""
