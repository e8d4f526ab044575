"""2D joints that a detector found on the pictures of a store: read from others' files, matched."""
