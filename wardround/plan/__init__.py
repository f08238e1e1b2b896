"""A plan: the validated settings of one experiment."""
