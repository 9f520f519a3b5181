"""`python -m inspector` and the `s1inspect` command."""


def main() -> None:
    """Run the command line."""
    from inspector.cli.app import app

    app()


if __name__ == "__main__":
    main()
