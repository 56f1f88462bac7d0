"""Between the contract and the numbers: messages to observations, answers to messages."""
