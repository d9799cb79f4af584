"""One place through which all agents of a run reach the models: it alone holds the key, waits, counts and pays.

``gateway`` is its front, ``server`` speaks to agents, ``upstream`` to the real API behind the port in ``answers``;
``passing`` takes a request from its arrival to its bill, and ``turnstile`` is where it waits. ``rules`` decide,
``recording`` keeps and repeats what was said.
"""
