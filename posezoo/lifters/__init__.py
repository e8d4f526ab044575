"""2D joints to 3D joints: one file per family of networks."""
