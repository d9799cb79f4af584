"""Reading what the user asked for: everything is read and checked, nothing is touched."""
