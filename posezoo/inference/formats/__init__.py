"""The files that hold predictions, one module each; `write.py` knows them all."""
