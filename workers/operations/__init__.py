"""What an operator sees of any process: logs, metrics, health, and deadlines that end what hangs."""
