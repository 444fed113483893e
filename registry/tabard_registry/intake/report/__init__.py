# SPDX-License-Identifier: Apache-2.0
"""From a reading to a report: coverage, family, declared base, last objections."""
