"""Jobs: many spectra of files through the stream, with a journal by which a job goes on where it ended."""
