"""The command line: bring the stack up, run the demo, look at and act on notifications."""
