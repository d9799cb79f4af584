"""What the gateway decides, all of it pure: what an answer means, who waits how long, what may be spent."""
