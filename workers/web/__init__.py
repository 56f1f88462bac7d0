"""The page: a night's stream, and one spectrum at a time, in a browser.

`night` keeps the last results in bounded memory; `sources` fill it from the topics or from files, and find
pixels and best fits. `server` answers requests, decides who may ask, and makes one frame for all viewers
together. `serve` runs it; import that from outside. `static` is
the page itself: plain modules, as the browser gets them; `vendor` in it holds uPlot with its licence.
"""
