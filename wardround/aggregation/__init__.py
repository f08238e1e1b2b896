"""Rules that turn updates into one change of the parameters. One pure rule a file."""
