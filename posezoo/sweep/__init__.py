"""Many trainings as one study: a grid or samples of settings, by any number of processes."""
