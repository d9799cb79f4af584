"""Coding programs as backends: one class, and a definition for each program that says how it is spoken to."""
