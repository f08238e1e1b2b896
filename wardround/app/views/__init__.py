"""What the pages show, worked out without Qt: plain arguments in, frozen facts out. It runs in the app's second process."""
