"""Every spending of a site's privacy budget, written down before the noise it stands for is drawn."""
