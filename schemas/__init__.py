"""The contract: what a message on a topic says and what it means.

A message is a frozen pydantic model: `spectrum.Spectrum` comes in; `results.Classification`,
`results.Redshift`, `results.Anomaly`, `results.ModelSpectrum`, `results.Measurement` and
`deadletter.DeadLetter` go out, and people answer with `verdict.Verdict`. `codec` turns them into bytes and
back, `foreign` says how to read what somebody else's schema wrote, `zwarn.ZWarn` names the warning bits, and
`avro/` holds the schemas that anybody else reads our topics with. Nothing here knows of Kafka, of networks or
of files; from outside, import from the modules named in this paragraph.
"""
