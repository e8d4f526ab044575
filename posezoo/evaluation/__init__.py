"""Errors of a pipeline, under stated protocols, and what explains them."""
