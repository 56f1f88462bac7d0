"""What in a spectrum the best fit can't explain, how often that happens by chance, and why."""

from spectraq.models.anomaly.judge import Judge
from spectraq.models.anomaly.verdict import Verdict

__all__ = ["Judge", "Verdict"]
