# SPDX-License-Identifier: Apache-2.0
"""What each family's denoising network takes and gives, behind one protocol."""
