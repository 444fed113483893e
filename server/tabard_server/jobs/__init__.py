# SPDX-License-Identifier: Apache-2.0
"""Jobs: what was asked for, what is drawn, the way back to the caller."""
