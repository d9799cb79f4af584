"""What to do about a command that failed, found without asking a model wherever that is possible.

``proposals`` are the words, ``table`` knows common failures and ``answers`` what follows from them, ``machine`` tells
what may not be done here, ``surroundings`` looks at the worktree, ``remembered`` keeps what worked, ``asking`` asks a
model when nothing else is left, and ``rescue`` carries it out.
"""
