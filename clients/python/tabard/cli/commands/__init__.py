# SPDX-License-Identifier: Apache-2.0
"""The commands of `tabard`: a file is named by its command."""
