"""Where pull requests live: the port, and the forge that is embedded in the repository's own refs."""
