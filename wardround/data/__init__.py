"""From files to arrays, splits and sites."""
