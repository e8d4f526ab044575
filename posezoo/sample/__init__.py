"""Small files of every kind that commands read, made of invented people."""
