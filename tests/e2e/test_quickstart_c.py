"""docs/quickstart-c.md is true."""

import os

from program import ROOT
from walk import walk


def test_the_page_is_true(home):
    _, files, commands = walk(home, os.path.join(ROOT, "docs", "quickstart-c.md"))
    assert files == 5 and commands == 5
