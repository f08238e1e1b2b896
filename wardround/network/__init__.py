"""A study over a network of hospitals: one server, sites as programs of their own, NVIDIA FLARE between them."""
