"""The command `glossator vectors`: one module per subcommand, and what they share.

Modules of heavy dependencies are imported when a subcommand runs, so that `--help` stays fast.
"""
