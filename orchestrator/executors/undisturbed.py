"""For the forkserver only, as the first thing it loads: Ctrl-C is for the orchestrator, which ends the run in order.

The forkserver ignores it as well, but only when it has loaded everything, which takes seconds with a model's library.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
