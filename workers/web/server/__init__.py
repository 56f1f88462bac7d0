"""Requests, who may make them, and the frames that all viewers share."""
