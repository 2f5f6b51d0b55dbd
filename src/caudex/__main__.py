"""`python -m caudex` is the command line."""

from caudex.cli.main import main

if __name__ == "__main__":  # a spawned worker imports this file too
    main()
