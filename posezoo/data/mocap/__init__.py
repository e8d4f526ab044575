"""Motion capture: its file, its clips, and the dataset of virtual views."""
