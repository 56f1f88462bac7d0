"""Real Apache Kafka and real Redis as child processes, from Python packages alone.

`stack.LocalStack` is the whole: a context manager that starts both on free ports and leaves nothing behind.
`jars` fetches Kafka's own jars once, `kafka` and `redis` know their servers, `child` keeps a process on a
leash, `ports` finds a port. From outside, import `stack.LocalStack` and, to start other children,
`child.Child`.
"""
