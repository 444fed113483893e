# SPDX-License-Identifier: Apache-2.0
"""`python -m livery` is the command line `livery`."""

from livery.cli import main

if __name__ == "__main__":
    main()
