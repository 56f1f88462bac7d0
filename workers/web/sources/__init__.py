"""Where the page has its results, pixels and fits from."""
