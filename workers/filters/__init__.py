"""Filters: expressions of users over the results of a spectrum, and a topic for what each lets through.

`record_types` makes types of the schemas of results, `expression` checks an expression against them, `join`
brings the results of a spectrum together, `passage` asks all filters, and `stream` does it on Kafka.
"""
