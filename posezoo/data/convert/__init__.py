"""Importers: foreign files to shots, one file per format, named by the table in `formats`."""
