"""Engines that carry orders to sites and bring updates back."""
