"""What in a spectrum the best fit can't explain, how often that happens by chance, and why."""

from models.anomaly.judge import Judge
from models.anomaly.verdict import Verdict

__all__ = ["Judge", "Verdict"]
