"""torch without its compiler, for processes of ours alone: a third of what its import takes.

While torch is imported it registers what shapes 1,500 operations give, and loads their decompositions in
Python. Only tracing asks for those (`torch.compile`, `torch.export`, tensors without data).
"""

from __future__ import annotations

import sys
from types import ModuleType

REGISTRATIONS = "torch._meta_registrations"


def leave_compiler_out() -> None:
    """See that torch, where it is imported later in this process, does so without what tracing alone needs.

    Nothing happens where torch is there already. A program that traces must not call this.
    """
    if "torch" not in sys.modules:
        sys.modules.setdefault(REGISTRATIONS, ModuleType(REGISTRATIONS))
