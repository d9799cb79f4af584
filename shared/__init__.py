"""What both the orchestrator and the workflow manager need: git, forges, state, configuration, processes."""
