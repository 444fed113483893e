# SPDX-License-Identifier: Apache-2.0
"""Where objects are kept: the seam (`store`), a local folder, an S3 bucket."""
