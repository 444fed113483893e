# SPDX-License-Identifier: Apache-2.0
"""What passes of a base take, in seconds and bytes: counted before, measured ever after."""
