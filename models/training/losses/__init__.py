"""What the networks are taught to make small."""
