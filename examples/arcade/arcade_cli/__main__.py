"""python -m arcade_cli, which is the command `arcade`."""

from arcade_cli.app import main

if __name__ == "__main__":
    main()
