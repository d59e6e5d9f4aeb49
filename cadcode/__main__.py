"""`python -m cadcode`."""

from cadcode.cli import main

main()
