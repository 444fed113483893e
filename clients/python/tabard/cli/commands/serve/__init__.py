# SPDX-License-Identifier: Apache-2.0
"""Start a server and operate it."""
