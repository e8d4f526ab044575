"""2D joints that other programs have found, from the files that they write."""
