# SPDX-License-Identifier: GPL-2.0-only
"""Fetching what Tandem needs but does not carry: Debian packages, sources, headers."""
