"""The commit of the counts that wait: what goes in, what it says, how it reaches the remote."""
