"""What explains a row of a report: numbers taken from its trained networks, beyond their errors.

One file an experiment: `measure(trial)` gives its `Numbers`. `posezoo.report.explained` says what
each number is called and how it is written.
"""
