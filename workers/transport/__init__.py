"""Everything that speaks to Kafka, and nothing else that does.

`connection` tells clients where the brokers are, `topics` makes and lists topics, `lag` reads how far a group
is behind. `consumer` and `producer` are the two ends of a worker: they hold the patterns without which this
client loses data silently, so use these and not bare `kafka` clients wherever offsets are committed.
`epoch` is what joins the two. From outside: any public name of these modules.
"""
