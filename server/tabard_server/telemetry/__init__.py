# SPDX-License-Identifier: Apache-2.0
"""Logs, metrics, and the page that shows them."""
