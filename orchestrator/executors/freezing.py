"""For the forkserver only, as the last thing it loads: what is there now is never garbage.

A collection writes to each object that it looks at, and so would copy in every manager the memory that all of them
share with the forkserver.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
gc.enable()
