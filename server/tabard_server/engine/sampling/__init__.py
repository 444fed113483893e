# SPDX-License-Identifier: Apache-2.0
"""From noise or a picture to latents, and from latents to pixels."""
