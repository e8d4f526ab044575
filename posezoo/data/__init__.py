"""Datasets: people with known poses, real and invented, and what shows them to a camera."""
