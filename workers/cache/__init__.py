"""What Redis keeps: answers, and the numbers that a stream is judged by."""
