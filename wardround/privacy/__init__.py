"""Differential privacy: noise, what it costs and who may still spend; and secure aggregation (secagg/)."""
