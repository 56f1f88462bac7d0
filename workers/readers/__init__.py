"""Files become spectra here: one module a survey's format, and some for plain tables.

`find` gives the files that names, folders and patterns stand for. `read` gives every spectrum of a file,
lazily and in the file's order, and a `ReadError` in the place of each one that can't be read, so that one bad
row or file never hides the others. `FORMATS` names what is known. From outside, import these from here.
Adding a format: a module with a `Format` of two functions (recognises, rows), and its name in
`formats.FORMATS`.
"""

from spectraq.workers.readers.files import find
from spectraq.workers.readers.formats import FORMATS, read

__all__ = ["FORMATS", "find", "read"]
