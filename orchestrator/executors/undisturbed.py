"""For the forkserver only, as the first thing it loads: nothing disturbs it while it loads the rest.

Ctrl-C is for the orchestrator, which ends the run in order; the forkserver ignores it as well, but only when it has
loaded everything, which takes seconds with a model's library. Looking for garbage, of which loading makes none, would
be a quarter of that time; ``freezing`` ends it.
"""

from __future__ import annotations

import gc
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
gc.disable()
