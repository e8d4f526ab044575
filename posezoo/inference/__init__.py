"""From pictures, videos or 2D joints to people in 3D, and to the files that hold them."""
