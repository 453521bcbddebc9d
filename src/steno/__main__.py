"""`python -m steno` is the command `steno`."""

from steno.cli import main

if __name__ == "__main__":
    main()
