"""The desktop app: thin pages over the library. Every action is a command and a saved plan, and shows both."""
