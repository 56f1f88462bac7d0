"""The page: a night's stream, and one spectrum at a time, in a browser.

`night` keeps the last results in bounded memory; `following` fills it from the topics, `reading` from
files. `lookup` finds pixels, `modelling` the best fit; `broadcast` makes one frame for all viewers together.
`app` answers requests, `guard` decides who may ask, `serve` runs it; import `serve` from outside. `static` is
the page itself: plain modules, as the browser gets them; `vendor` in it holds uPlot with its licence.
"""
