# SPDX-License-Identifier: Apache-2.0
"""How trainers name and shape what they save, a file each."""
