"""Everything that speaks to Kafka, and nothing else that does.

`connection` tells clients where the brokers are, `topics` makes and lists topics, `lag` reads how far a group
is behind. `group_member` reads as one of a group; `consumer`, made of it, and `producer` are the two ends of
a worker. They hold the patterns without which this client loses data silently, so use these and not bare
`kafka` clients wherever offsets are committed; `stall_watch` frees a member that is stuck.
`epoch` is what joins the two. From outside: any public name of these modules.
"""
