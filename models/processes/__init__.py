"""Processes that share the work of one pipeline on the cores of a machine."""
