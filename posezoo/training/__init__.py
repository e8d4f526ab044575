"""The training loop, what it keeps on the disk, and who hears of it."""
