"""One place through which all agents of a run reach the models: it alone holds the key, waits, counts and pays.

``gateway`` is its front, ``server`` speaks to agents, ``upstream`` to the real API behind the port in
``answers``; what an answer means, who waits how long, and what may be spent are pure modules beside them.
"""
