"""The demonstration: everything at once, on this machine, watched as it runs.

`feed` publishes spectra and some rubbish between them, `tally` counts what the topics say became of each,
`view` shows the tally. `cli.demo` starts the servers and the worker and runs the three; import from there.
"""
