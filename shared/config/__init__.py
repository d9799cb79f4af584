"""Text that becomes data: YAML with positions, checked as a whole before anything starts."""
