"""Secure aggregation: Bonawitz et al. 2017 (CCS), with pinned site keys. The server learns a sum of at least three updates, no single one.

site.py is a site's half, server.py the server's; each is a machine of states that refuses what does not belong to its stage.
"""
