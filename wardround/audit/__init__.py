"""`wardround audit`: attacks on a run of one's own, each tried on a planted victim first, and what may be concluded from them."""
