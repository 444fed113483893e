# SPDX-License-Identifier: Apache-2.0
"""What people say of releases: reviews, and votes on pairs whose sides they do not know."""
