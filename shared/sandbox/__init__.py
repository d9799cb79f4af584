"""The sandbox of agents that are not trusted: what is there, what is passed on, and what is used at most.

``building`` makes bubblewrap's command line of it; ``places``, ``environment`` and ``calls`` decide what an agent
finds there; ``groups`` counts; ``probe`` finds out whether this machine can do it.
"""

from __future__ import annotations

GATEWAY_PORT = 8377
# Where an agent in the sandbox finds the gateway: a forwarder listens there, in a network of its own.
SANDBOX_GATEWAY_URL = f"http://127.0.0.1:{GATEWAY_PORT}"
# The end of the reason where a command of the user's failed that was shut in for what it executes.
LET_OUT = " (it ran in a sandbox, because agents wrote what it executes; `sandbox_commands: off` lets it out)"
