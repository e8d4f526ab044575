"""Weights by name: where they come from, whose they are, and other projects' files as ours."""
