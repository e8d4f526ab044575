"""How a pipeline learns: one file per strategy."""
