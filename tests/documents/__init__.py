# SPDX-License-Identifier: Apache-2.0
"""The documents, read as a reader does: every command and snippet is run as it is printed."""
