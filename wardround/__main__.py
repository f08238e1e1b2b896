"""`python -m wardround` is the `wardround` command."""

from wardround.cli.main import main

if __name__ == "__main__":
    main()
