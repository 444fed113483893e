# SPDX-License-Identifier: Apache-2.0
"""`python -m tabard` is the command line `tabard`."""

from tabard.cli import main

if __name__ == "__main__":
    main()
