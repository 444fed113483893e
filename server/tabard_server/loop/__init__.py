# SPDX-License-Identifier: Apache-2.0
"""The one device thread, and what it knows of who waits and who runs."""
