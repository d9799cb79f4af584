"""What executes an agent. Each backend is one module; heavy ones are imported only when they are used."""
