# SPDX-License-Identifier: GPL-2.0-only
"""Parts of tools/bench/bench. Begin reading in plan.py."""
