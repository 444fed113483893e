# SPDX-License-Identifier: Apache-2.0
"""The UNet as compiled libraries, one for each kind of pass, built beside the server and kept."""
