"""The page on security says what the code gives."""

from __future__ import annotations

import re
from pathlib import Path

from kafka.admin import ACLResourcePatternType

from spectraq.workers.secret_files import variables
from spectraq.workers.settings import ENV_PREFIX, Settings
from spectraq.workers.transport.rights import ROLES

ROOT = Path(__file__).parents[2]


def test_the_page_names_every_right_of_every_role_and_no_other() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (Read|Write|Describe) \| [a-z ]+ `([^`]+)` \|", page, re.MULTILINE)
    rights = [
        (
            role,
            right.operation.name.capitalize(),
            right.name + ("…" if right.pattern == ACLResourcePatternType.PREFIXED else ""),
        )
        for role, give in ROLES.items()
        for right in give(Settings())
    ]
    assert rows == rights


def test_the_page_names_every_secret_that_a_file_may_hold() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    names = set(variables(Settings, ENV_PREFIX)) - {"SPECTRAQ_WEB__TOKEN_FILE"}  # on the page about the page
    assert sorted(name for name in names if name not in page) == []
