"""Dead letters: written by workers, browsed and replayed by people."""
