# SPDX-License-Identifier: Apache-2.0
"""What was drawn of a release becomes findings, and findings a report that people complete."""
