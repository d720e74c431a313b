# SPDX-License-Identifier: GPL-2.0-only
"""What the test runners share: KTAP in and out, and runs in the lab."""
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.realpath(__file__)))))
LAB = os.path.join(TOP, "tools", "lab", "lab")
FETCH = os.path.join(TOP, "tools", "deps", "fetch")
BUILD = os.path.join(TOP, "build")
