# SPDX-License-Identifier: Apache-2.0
"""Jobs that outlive the connection that asked for them: kept on disk, watched, told by webhooks."""
