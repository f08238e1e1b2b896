"""Tables, figures and the page a clinician reads."""
