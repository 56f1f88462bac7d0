"""Result topics as tables: Delta Lake on a disk or in an object store, and SQL over them.

The tables hold how far each partition was read beside the rows, in one transaction; so each message is in
them once, whatever dies. `sink` writes, `query` reads.
"""
