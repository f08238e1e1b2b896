"""Images drawn by a program in a public data set's layout, for trying everything out without patients' images."""
