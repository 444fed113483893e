# SPDX-License-Identifier: Apache-2.0
"""How a server may be reached: the settings of identity and encryption, and the files they name."""
