"""Importers: foreign files to sequences, one file per format, named by the table in `formats`."""
