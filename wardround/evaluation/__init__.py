"""Metrics, intervals and calibration of test results."""
