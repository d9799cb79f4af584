"""Following pull requests: checks and reviews become further rounds, stacked branches are brought up to date.

What is to be done follows from how things stand on the forge and from refs alone, so that an event that came twice, too
late or never changes nothing.
"""
