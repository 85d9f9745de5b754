"""`python -m loma`: the command line."""

from loma.cli import main

if __name__ == "__main__":
    main()
