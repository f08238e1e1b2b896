"""Old files: pickled data sets and pickled models, read without executing anything in them."""
