"""Everything that talks to the outside: Kafka, Redis, files, the terminal.

`service.loop.run` is the worker; `files` does the same for files. `contract` joins the messages (`schemas`)
and the numbers (`models`). `transport` speaks to Kafka, `cache` to Redis, `readers` read files, `local` runs
servers on this machine, `web` is the page, `cli` the command line.
"""
