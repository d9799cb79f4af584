"""GitHub Actions: what starts a run there, and the workflows that we ship. Pure but for reading the templates."""
