"""Exit codes of commands, for cron and scripts."""

#: A run or a check failed.
FAILED = 1
#: The command cannot be carried out as given.
USAGE = 2
#: Ctrl-C.
INTERRUPTED = 130
#: The program that reads the output has closed it.
CLOSED_PIPE = 141
