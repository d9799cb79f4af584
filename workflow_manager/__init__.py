"""One task: its workflow, phases, agents and their backends, and its task files."""
