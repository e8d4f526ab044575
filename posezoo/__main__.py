"""`python -m posezoo`: the command line where no script of that name is on the path."""

from posezoo.cli import main

main(prog_name="posezoo")
