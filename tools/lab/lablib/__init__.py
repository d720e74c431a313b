# SPDX-License-Identifier: GPL-2.0-only
"""The lab: emulated host machines to run Tandem in."""
