"""Rules that turn updates into one change of the parameters. One pure rule a file; choose.py finds the one that a plan names.

mean.py streams and tolerates no attacker. All others need a round's updates side by side (stack.py), count sites alike whatever number
of images they claim, and work on changes, never on whole models: chunk by chunk, with sums in float64.
"""
