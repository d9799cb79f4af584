"""The composition root: the only place, besides executors, that knows every part.

Imports nothing by itself: a command takes the module that it needs, so that one that only looks starts at once.
"""
