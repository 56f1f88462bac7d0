"""Files in, `schemas.Spectrum` out: one module a survey's format.

`read` opens a file, recognises its format by content and yields its spectra one by one; what can't be read is
yielded as a `ReadError`, so that one bad row or file never hides the others. From outside, import `read`,
`find` and `FORMATS`.
"""

from workers.readers.files import find
from workers.readers.formats import FORMATS, read

__all__ = ["FORMATS", "find", "read"]
