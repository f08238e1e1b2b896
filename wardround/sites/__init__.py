"""A site: its rows, its model and what it remembers."""
