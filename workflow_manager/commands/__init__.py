"""What shell commands of a list depend on, and which of them may run at the same time. Pure.

``words`` reads a command as the shell does, ``known`` lists well-known programs and ``programs`` says what they do
with their arguments, ``effects`` what a whole command reads and writes; ``batches`` orders the list.

Two commands run at the same time only where both are understood and nothing that one writes is read or
written by the other. Whatever cannot be told runs alone, in its place. Taken for granted: a well-known name is
the well-known program; test runners and linters write nothing but caches that are made for use by several at
once; programs meet through files only, not through the network.
"""
