"""What a data file holds and what is wrong with it: overview, diagnosis, contact sheet."""
