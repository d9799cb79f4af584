"""The ``anthropic`` backend: a loop over typed messages, and tools that act on the worktree.

Only ``client`` and ``preload`` import the SDK, and only when an agent of this backend starts.
"""
