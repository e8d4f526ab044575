"""A picture of any size to people with 2D joints: one file per detector."""
