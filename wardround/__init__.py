"""wardround: federated learning for medical images."""
