"""Everything that knows git: the one wrapper around the program, and pygit2."""
