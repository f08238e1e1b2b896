"""What every part speaks: parameters, orders, updates, states, events."""
