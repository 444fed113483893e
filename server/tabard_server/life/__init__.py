# SPDX-License-Identifier: Apache-2.0
"""The life of a server process: what it does for callers now, who watches it, how it ends."""
