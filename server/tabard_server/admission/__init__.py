# SPDX-License-Identifier: Apache-2.0
"""Admission: a request becomes a pinned job, or is told everything that is wrong with it."""
