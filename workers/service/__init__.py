"""The worker: its loop, what it holds in hand, and what it does where something goes wrong."""
