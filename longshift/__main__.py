"""`python -m longshift`: the command line."""

from longshift.cli import main

if __name__ == "__main__":
    main()
