# SPDX-License-Identifier: Apache-2.0
"""What runs in this process without a server; needs the extras `registry` or `server`."""
