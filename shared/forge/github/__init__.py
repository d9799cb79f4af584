"""GitHub: its API, and the ports of ``shared.forge`` over it."""
