"""Sentences of the specification: folders mirror the packages, and `support` is what they share."""
