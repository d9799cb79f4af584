"""How long something took, in a form that fits its size. Pure."""

from __future__ import annotations


def spelled(seconds: float) -> str:
    """For tables and sentences: ``4.2 s`` as long as tenths may matter, then ``3m12s``."""
    return f"{seconds:.1f} s" if seconds < 100 else duration(seconds)


def duration(seconds: float) -> str:
    """Short and steady: ``4.2s``, ``3m12s``, ``1h04m``."""
    seconds = max(0.0, round(seconds, 1))
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
