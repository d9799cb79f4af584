"""A batch whose tasks run as jobs elsewhere: the plan that they get, and what they hand back."""
