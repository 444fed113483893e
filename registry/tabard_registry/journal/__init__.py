# SPDX-License-Identifier: Apache-2.0
"""Acts from any thread become records of the log, several at a time."""
