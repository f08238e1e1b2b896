"""Public data sets from where they are published: licence first, resumable, checked, unpacked safely."""
