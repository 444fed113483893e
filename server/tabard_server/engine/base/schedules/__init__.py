# SPDX-License-Identifier: Apache-2.0
"""How a base is walked, as its configuration and its files say."""
