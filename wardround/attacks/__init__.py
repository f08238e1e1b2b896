"""What malicious sites do, and what a curious server reads from updates: for simulations and audits only.

One attack a file, each with its source. A study over a network refuses plans with an attack.
"""
