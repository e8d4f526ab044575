"""A posezoo plugin with one entry, acme/my_entry; registry.toml names it."""
