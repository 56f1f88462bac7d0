"""The memory of objects beside the stream: filled from files, refilled from its topic, forgotten."""
