"""Triton kernels of posezoo, one file per operation, called by its namesake in posezoo.ops.

Each file: the launchers that allocate and launch, then the kernels, with their mathematics on top.
Maps of D x H x W cells are ROWS = D * H rows of W cells; a 2D map has D = 1. A tile is BR rows of
BW columns, BW the power of two from W. Sums are float32 whatever the maps' dtype; the address of
a map is int64, since 17 maps of 64^3 cells pass 2^31 at a batch of 482.
"""
