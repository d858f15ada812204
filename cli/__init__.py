"""The command line: each file the commands of one subject; `app` puts them together. They parse, ask, call down and answer."""
