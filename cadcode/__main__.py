"""`python -m cadcode`."""

from cadcode.cli.app import main

main()
