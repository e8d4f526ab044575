"""A store: one HDF5 file of poses, cameras and pictures; written whole, opened checked."""
