"""Everything that talks to the outside: Kafka, Redis, files, the terminal.

`worker.run` is the service; `direct` does the same for files. `answers` joins the contract (`schemas`) and
the numbers (`models`). `transport` speaks to Kafka, `readers` read files, `local` starts real servers on this
machine, `cli` is the command line. Nothing outside this package imports it.
"""
