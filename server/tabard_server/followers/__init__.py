# SPDX-License-Identifier: Apache-2.0
"""What happens here when a record appears in the log."""
