"""Feature maps to joints: one file per head."""
