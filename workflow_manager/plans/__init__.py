"""Lists of commands that agents plan: checked, kept, and served again where that is safe.

``planning`` is the entry. ``asked`` says who plans what, ``content`` checks it, ``keys`` says when a plan is for the
very same work, ``similarity`` when for similar work, ``shelf`` keeps plans, and ``serving`` uses all of them.
"""
