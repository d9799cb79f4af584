"""What agents and models said to each other: kept without secrets, and said again in place of a model."""
