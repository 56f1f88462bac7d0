"""Files and arrays analysed as a stream is, and tables of what came out."""
