"""A posezoo plugin with one entry, acme/bones; registry.toml names it."""
