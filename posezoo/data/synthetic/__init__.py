"""Procedural people: bodies, poses and activities drawn from random numbers."""
