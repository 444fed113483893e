# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: begun, looked at, watched, ended; their images by URLs. The server holds them."""
