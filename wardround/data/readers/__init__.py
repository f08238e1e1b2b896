"""Files to Image: one format a file."""
