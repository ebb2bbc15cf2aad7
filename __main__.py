"""``python -m swissxmod``, which launchers of several processes can start."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
