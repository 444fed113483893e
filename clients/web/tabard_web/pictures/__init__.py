# SPDX-License-Identifier: Apache-2.0
"""Pictures as the doors take and give them: masks by transparency, JPEG and WebP beside PNG."""
